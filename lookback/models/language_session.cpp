#include "lookback/models/language_session.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/data/vocab.h"
#include "lookback/ops/top_k.h"

namespace lookback {
namespace {

double dot(std::span<const float> a, const float* b) {
  float sums[16] = {};
  size_t k = 0;
  for (; k + 16 <= a.size(); k += 16)
    for (size_t j = 0; j < 16; ++j) sums[j] += a[k + j] * b[k + j];
  double out = 0;
  for (const float s : sums) out += static_cast<double>(s);
  for (; k < a.size(); ++k) out += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return out;
}

}  // namespace

void PointerCache::add(std::span<const float> state, int32_t next) {
  check(std::ssize(state) == width_, "cache: a state of ", state.size(), " numbers, not ", width_);
  tokens_.push_back(next);
  states_.insert(states_.end(), state.begin(), state.end());
  const auto limit = static_cast<size_t>(options_.size);
  if (tokens_.size() > limit) ++first_;
  if (first_ < limit) return;
  tokens_.erase(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(first_));
  states_.erase(states_.begin(), states_.begin() + static_cast<std::ptrdiff_t>(first_) * width_);
  first_ = 0;
}

std::vector<double> PointerCache::weights(std::span<const float> state) const {
  std::vector<double> out;
  for (size_t k = 0; k < tokens().size(); ++k)
    out.push_back(options_.theta * dot(state, states().data() + static_cast<int64_t>(k) * width_));
  if (!out.empty()) elementary::softmax(out);
  return out;
}

void PointerCache::mix(std::span<const float> state, std::span<float> log_probs) const {
  const std::vector<double> w = weights(state);
  if (w.empty()) return;
  std::vector<double> p(log_probs.size());
  for (size_t k = 0; k < w.size(); ++k) p[static_cast<size_t>(tokens()[k])] += w[k];
  for (size_t v = 0; v < p.size(); ++v)
    log_probs[v] = static_cast<float>(
        elementary::log((1 - options_.lambda) * elementary::exp(log_probs[v]) + options_.lambda * p[v]));
}

double PointerCache::mix(std::span<const float> state, int32_t token, double log_prob) const {
  const std::vector<double> w = weights(state);
  if (w.empty()) return log_prob;
  double p = 0;
  for (size_t k = 0; k < w.size(); ++k)
    if (tokens()[k] == token) p += w[k];
  return elementary::log((1 - options_.lambda) * elementary::exp(log_prob) + options_.lambda * p);
}

void PointerCache::restore(std::vector<int32_t> tokens, std::vector<float> states) {
  check<FormatError>(std::ssize(tokens) <= options_.size && std::ssize(states) == std::ssize(tokens) * width_,
                     "a cache of ", tokens.size(), " tokens, where this one holds ", options_.size);
  tokens_ = std::move(tokens), states_ = std::move(states), first_ = 0;
}

LanguageSession::LanguageSession(const LanguageModel& model, const CacheOptions& cache, int64_t texts)
    : model_(&model), cache_(cache), texts_(texts) {
  check(texts > 0, "a session of ", texts, " texts");
  if (has_cache()) caches_.assign(static_cast<size_t>(texts), PointerCache(cache, model.width()));
  read(std::vector<int32_t>(static_cast<size_t>(texts), data::kEos));
}

// Of every token the state before it, which the caches then know.
void LanguageSession::remember(const Var& hidden, std::span<const int32_t> tokens) {
  if (!has_cache() || !hidden_) return;
  const int64_t steps = std::ssize(tokens) / texts_;
  for (int64_t l = 0; l < steps; ++l)
    for (int64_t b = 0; b < texts_; ++b) {
      const Tensor& from = l == 0 ? hidden_.value() : hidden.value();
      const int64_t row = l == 0 ? b : (l - 1) * texts_ + b;
      caches_[static_cast<size_t>(b)].add(from.rows(row, row + 1).span<float>(),
                                          tokens[static_cast<size_t>(l * texts_ + b)]);
    }
}

void LanguageSession::read(std::span<const int32_t> tokens) {
  if (tokens.empty()) return;
  const NoGrad off;
  const Var hidden = model_->read(tokens, texts_, state_);
  remember(hidden, tokens);
  hidden_ = Var(hidden.value().rows(hidden.dim(0) - texts_, hidden.dim(0)));
}

std::vector<double> LanguageSession::score(std::span<const int32_t> tokens) {
  constexpr int64_t kTogether = 128;  // steps
  check(texts_ == 1, "a session of ", texts_, " texts scores none");
  const NoGrad off;
  std::vector<double> out;
  while (!tokens.empty()) {
    const auto now = tokens.first(std::min<size_t>(tokens.size(), kTogether));
    tokens = tokens.subspan(now.size());
    const Var before = hidden_, hidden = model_->read(now, 1, state_);
    const int64_t L = std::ssize(now);
    const Var states = L == 1 ? before : ops::concat_rows({before, ops::slice_rows(hidden, 0, L - 1)});
    const Tensor logits = model_->logits(states).value();
    for (int64_t l = 0; l < L; ++l) {
      const auto row = logits.rows(l, l + 1).span<float>();
      const int32_t token = now[static_cast<size_t>(l)];
      double log_prob = static_cast<double>(row[static_cast<size_t>(token)]) - elementary::log_sum_exp(row);
      if (has_cache()) {
        const auto state = states.value().rows(l, l + 1).span<float>();
        log_prob = caches_[0].mix(state, token, log_prob);
        caches_[0].add(state, token);
      }
      out.push_back(log_prob);
    }
    hidden_ = Var(hidden.value().rows(L - 1, L));
  }
  return out;
}

Tensor LanguageSession::logits() const {
  const NoGrad off;
  const Tensor out = model_->logits(hidden_).value();
  for (int64_t b = 0; has_cache() && b < texts_; ++b) {
    const auto row = out.rows(b, b + 1).span<float>();
    elementary::log_softmax(row);
    caches_[static_cast<size_t>(b)].mix(hidden_.value().rows(b, b + 1).span<float>(), row);
  }
  return out;
}

const Tensor& LanguageSession::attention() const {
  static const Tensor kNone;
  for (const BlockState& block : state_.blocks)
    if (!block.weights.empty()) return block.weights;
  return kNone;
}

void LanguageSession::reorder(std::span<const int32_t> from) {
  const NoGrad off;
  for (const int32_t k : from) check(0 <= k && k < texts_, "a session of ", texts_, " texts has no text ", k);
  state_ = state_.gather(from);
  hidden_ = ops::gather_rows(hidden_, ops::row_ids({from.begin(), from.end()}));
  if (has_cache()) {
    std::vector<PointerCache> caches;
    for (const int32_t k : from) caches.push_back(caches_[static_cast<size_t>(k)]);
    caches_ = std::move(caches);
  }
  texts_ = std::ssize(from);
}

void LanguageSession::append(const LanguageSession& more) {
  const NoGrad off;
  check(more.model_ == model_, "sessions of two models cannot be joined");
  state_ = state_.concat(more.state_);
  hidden_ = ops::concat_rows({hidden_, more.hidden_});
  caches_.insert(caches_.end(), more.caches_.begin(), more.caches_.end());
  texts_ += more.texts_;
}

LanguageSession::Tensors LanguageSession::tensors() const {
  Tensors out = state_.tensors();
  out.emplace_back("hidden", hidden_.value());
  for (size_t b = 0; b < caches_.size(); ++b) {
    const PointerCache& cache = caches_[b];
    const int64_t size = std::ssize(cache.tokens());
    out.emplace_back(str_cat("cache.", b, ".tokens"),
                     Tensor::of<int32_t>({size}, {cache.tokens().begin(), cache.tokens().end()}));
    out.emplace_back(str_cat("cache.", b, ".states"),
                     Tensor::of<float>({size, model_->width()}, {cache.states().begin(), cache.states().end()}));
  }
  return out;
}

void LanguageSession::load(const Tensors& tensors) {
  Tensors state;
  Tensor hidden;
  std::vector<std::vector<int32_t>> tokens(static_cast<size_t>(texts_));
  std::vector<std::vector<float>> states(static_cast<size_t>(texts_));
  for (const auto& [name, tensor] : tensors) {
    if (name == "hidden") {
      hidden = tensor;
    } else if (name.starts_with("cache.")) {
      for (size_t b = 0; b < tokens.size(); ++b) {
        if (name == str_cat("cache.", b, ".tokens") && tensor.dtype() == Dtype::i32)
          tokens[b].assign(tensor.span<int32_t>().begin(), tensor.span<int32_t>().end());
        if (name == str_cat("cache.", b, ".states") && tensor.dtype() == Dtype::f32)
          states[b].assign(tensor.span<float>().begin(), tensor.span<float>().end());
      }
    } else {
      state.emplace_back(name, tensor);
    }
  }
  const Shape expected{texts_, model_->width()};
  check<FormatError>(hidden.shape() == expected && hidden.dtype() == Dtype::f32, "'hidden' is ", hidden.shape(),
                     ", and a session of this model has ", expected);
  LanguageState found = model_->state_of(state);
  for (size_t b = 0; b < tokens.size(); ++b) {
    for (const int32_t id : tokens[b])
      check<FormatError>(0 <= id && id < model_->vocabulary(), "its cache has a token ", id,
                         ", which is not in a vocabulary of ", model_->vocabulary());
    if (has_cache()) caches_[b].restore(std::move(tokens[b]), std::move(states[b]));
  }
  state_ = std::move(found), hidden_ = Var(hidden);
}

namespace {

class LanguageDecoder final : public decode::StepDecoder {
 public:
  explicit LanguageDecoder(LanguageSession session) : session_(std::move(session)) {}

  decode::StepOutput step(std::span<const int32_t> tokens, int64_t best) override {
    check(std::ssize(tokens) == session_.texts(), "decoder: ", tokens.size(), " tokens for ", session_.texts(),
          " rows");
    if (begun_) session_.read(tokens);
    begun_ = true;
    const Linear* const output = session_.model().output();
    if (best != kAll && few_decide_ && !session_.has_cache() && output) {
      const NoGrad off;
      if (auto few = ops::top_k(session_.hidden(), output->weight, output->bias, best)) {
        likeliest_ = std::move(few->columns);
        return {few->values, {}, {likeliest_.begin(), likeliest_.end()}};
      }
      few_decide_ = false;
    }
    return {session_.logits(), {}, {}};
  }
  void reorder(std::span<const int32_t> from) override { session_.reorder(from); }
  int64_t vocabulary() const override { return session_.model().vocabulary(); }

 private:
  LanguageSession session_;
  bool begun_ = false;
  std::vector<std::vector<int32_t>> likeliest_;  // of the last step's rows
  bool few_decide_ = true;                       // no step so far had to look at all tokens to find the best
};

}  // namespace

std::unique_ptr<decode::StepDecoder> make_decoder(LanguageSession session) {
  return std::make_unique<LanguageDecoder>(std::move(session));
}

}  // namespace lookback
