#include "lookback/models/language_model.h"

#include <algorithm>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/nn/recurrent_stack.h"
#include "lookback/ops/loss.h"

namespace lookback {
namespace {

ops::RowIds ids_of(std::span<const int32_t> ids) { return ops::row_ids({ids.begin(), ids.end()}); }

// Row n of embedded times 0 or 1 / (1 - rate), by the word that it is.
Var drop_whole_words(const Var& embedded, std::span<const int32_t> ids, double rate, Noise* noise) {
  if (!noise || rate == 0) return embedded;
  const Stream stream = noise->next();
  Tensor factors({std::ssize(ids)}, embedded.dtype());
  with_float(embedded.dtype(), [&]<class R>() {
    for (size_t n = 0; n < ids.size(); ++n) {
      const double u = static_cast<double>(stream.words(static_cast<uint64_t>(ids[n]))[0]) * 0x1p-32;
      factors.data<R>()[n] = static_cast<R>(u < rate ? 0 : 1 / (1 - rate));
    }
  });
  return ops::scale_rows(embedded, factors);
}

Var sum_of_squares(const Var& x) { return ops::weighted_sum(ops::mul(x, x), Tensor::full(x.shape(), 1, x.dtype())); }

// A cluster that would begin behind the vocabulary's end is none.
std::vector<int64_t> cutoffs_within(const StringList& words, int64_t vocabulary) {
  std::vector<int64_t> out;
  for (const std::string& word : words) {
    const auto number = parse_number<int64_t>(word);
    check<ConfigError>(number.has_value(), "model.cutoffs: '", word, "' is not a whole number");
    if (*number < vocabulary) out.push_back(*number);
  }
  return out;
}

// Calls f(name, part) for every tensor that a state may have, absent ones too.
template <class State, class F>
void each_part(State& state, F&& f) {
  for (size_t k = 0; k < state.blocks.size(); ++k) {
    auto& block = state.blocks[k];
    const std::string place = str_cat("blocks.", k, ".");
    for (size_t l = 0; l < block.layers.size(); ++l) {
      f(str_cat(place, "h_l", l), block.layers[l].h);
      f(str_cat(place, "c_l", l), block.layers[l].c);
    }
    f(place + "keys", block.keys), f(place + "values", block.values);
  }
}

}  // namespace

LanguageState LanguageState::gather(std::span<const int32_t> ids) const {
  LanguageState out = *this;
  const ops::RowIds rows = ids_of(ids);
  each_part(out, [&](const std::string&, Var& part) {
    if (part) part = ops::gather_rows(part, rows);
  });
  for (BlockState& block : out.blocks) {
    if (block.known.empty()) continue;
    std::vector<int32_t> known;
    for (const int32_t k : ids) known.push_back(block.known.at(static_cast<size_t>(k)));
    block.known = std::move(known);
  }
  return out;
}

LanguageState LanguageState::concat(const LanguageState& more) const {
  LanguageState out = *this, other = more;
  std::vector<Var*> parts, others;
  each_part(out, [&](const std::string&, Var& part) { parts.push_back(&part); });
  each_part(other, [&](const std::string&, Var& part) { others.push_back(&part); });
  check(parts.size() == others.size() && out.blocks.size() == other.blocks.size(),
        "language model: states of two models cannot be joined");
  for (size_t k = 0; k < parts.size(); ++k)
    if (*parts[k]) *parts[k] = ops::concat_rows({*parts[k], *others[k]});
  for (size_t k = 0; k < blocks.size(); ++k)
    out.blocks[k].known.insert(out.blocks[k].known.end(), other.blocks[k].known.begin(), other.blocks[k].known.end());
  return out;
}

std::vector<std::pair<std::string, Tensor>> LanguageState::tensors() const {
  std::vector<std::pair<std::string, Tensor>> out;
  each_part(*this, [&](std::string name, const Var& part) {
    if (part) out.emplace_back(std::move(name), part.value());
  });
  for (size_t k = 0; k < blocks.size(); ++k)
    if (!blocks[k].known.empty())
      out.emplace_back(str_cat("blocks.", k, ".known"),
                       Tensor::of<int32_t>({std::ssize(blocks[k].known)}, blocks[k].known));
  return out;
}

LanguageModel::LanguageModel(const LanguageModelOptions& options, int64_t vocabulary, uint64_t seed)
    : options_(options), vocabulary_(vocabulary) {
  const LanguageLayers& l = options.layers;
  if (options.blocks.empty()) {
    blocks_.push_back(std::make_unique<RecurrentStack>(EncoderOptions{.cell = l.cell,
                                                                      .layers = l.layers,
                                                                      .hidden = l.hidden,
                                                                      .bidirectional = false,
                                                                      .residual = l.residual,
                                                                      .layer_norm = l.layer_norm},
                                                       options.embedding));
  } else {
    for (const auto& [option, value] : changed_options(l))
      throw ConfigError(
          str_cat("model.", option, " = ", value, " does not go with model.blocks, which say what the layers are"));
    int64_t input_width = options.embedding;
    for (size_t k = 0; k < options.blocks.size(); ++k) {
      const std::string where = str_cat("model.blocks.", k);
      blocks_.push_back(make_block(options.blocks[k], input_width, where));
      const std::string why = blocks_.back()->cannot_continue();
      check<ConfigError>(why.empty(), where, ": a language model reads from left to right, and a block of kind '",
                         options.blocks[k].kind, "' ", why);
      check<ConfigError>(options.blocks[k].time.bptt == 0, where, ".bptt: a language model's is train.bptt");
      input_width = blocks_.back()->width();
    }
  }
  embedding_.weight = Var::parameter(Tensor::zeros({vocabulary, options.embedding}));
  const int64_t last = blocks_.back()->width();
  if (options.tied && last != options.embedding) projection_ = Linear(last, options.embedding, Linear::Bias::yes);
  width_ = options.tied ? options.embedding : last;
  const std::vector<int64_t> cutoffs = cutoffs_within(options.cutoffs, vocabulary);
  if (cutoffs.empty() || options.tied) output_ = Linear(width_, vocabulary, Linear::Bias::yes);
  if (options.tied) output_.weight = embedding_.weight;
  if (!cutoffs.empty() && options.tied) {
    check<ConfigError>(
        options.div_value == LanguageModelOptions::kDivValue,
        "model.div_value: clusters of a tied softmax are as wide as the embeddings; set model.tied = false");
    adaptive_.emplace(output_, cutoffs, "model.cutoffs");
  } else if (!cutoffs.empty()) {
    adaptive_.emplace(width_, vocabulary, cutoffs, options.div_value, "model.cutoffs");
  }
  if (seed != kNoInit) initialise(params_of(*this), options.init, seed);
}

void LanguageModel::start_from_frequencies(const std::vector<int64_t>& counts) {
  if (!output_.bias) return;
  check(std::ssize(counts) == vocabulary_, "language model: ", counts.size(), " counts for a vocabulary of ",
        vocabulary_);
  double total = 0;
  for (const int64_t n : counts) total += static_cast<double>(n) + 1;
  std::vector<double> shares;
  for (const int64_t n : counts) shares.push_back((static_cast<double>(n) + 1) / total);
  for (size_t v = 0; v < shares.size(); ++v)
    output_.bias.value().data<float>()[v] = static_cast<float>(elementary::log(shares[v]));
  output_.bias.touch();
  if (adaptive_) adaptive_->start_from_shares(shares);
}

void LanguageModel::params(ParamVisitor& v) {
  v("embedding", embedding_);
  if (options_.blocks.empty()) {
    blocks_[0]->params(v);
  } else {
    for (size_t k = 0; k < blocks_.size(); ++k) v("blocks." + std::to_string(k), *blocks_[k]);
  }
  v("projection", projection_);
  if (!options_.tied) v("output.weight", output_.weight, Role::weight);
  v("output.bias", output_.bias, Role::bias);
  if (adaptive_) v("output", *adaptive_);
}

bool LanguageModel::has_attention() const {
  return std::ranges::any_of(options_.blocks, [](const BlockOptions& b) { return b.kind == "self_attention"; });
}

StringList LanguageModel::kept_from_int8() const {
  return blocks_.front()->needs_exact_input() ? StringList{"embedding.weight"} : StringList{};
}

Sequence LanguageModel::embed(std::span<const int32_t> ids, const Ragged& shape, Noise* noise) const {
  for (const int32_t id : ids)
    check(0 <= id && id < vocabulary_, "token ", id, " is not in a vocabulary of ", vocabulary_);
  const ops::RowIds rows = ids_of(ids);
  if (!noise) return {embedding_.weight, shape, RowOrder::by_step, rows};
  Var x = drop_whole_words(ops::gather_rows(embedding_.weight, rows), ids, options_.dropout.words, noise);
  const DropoutSite site({.rate = options_.dropout.embedding, .locked = options_.dropout.locked}, noise);
  return {site.sequence(x, ops::row_ids(shape.steps().sequence_of_rows())), shape, RowOrder::by_step};
}

struct LanguageModel::Outputs {
  Var raw, dropped;  // [L * B, width of the last block]
  Var hidden;        // [L * B, width]
};

LanguageModel::Outputs LanguageModel::run(std::span<const int32_t> ids, int64_t texts, LanguageState& state,
                                          Noise* noise) const {
  check(texts > 0 && !ids.empty() && std::ssize(ids) % texts == 0, "language model: ", ids.size(), " tokens for ",
        texts, " texts");
  if (state.empty()) state.blocks.resize(blocks_.size());
  check(state.blocks.size() == blocks_.size(), "language model: a state of ", state.blocks.size(), " blocks for ",
        blocks_.size());
  const Ragged shape(std::vector<int64_t>(static_cast<size_t>(texts), std::ssize(ids) / texts));
  const DropoutOptions between{.rate = options_.dropout.hidden,
                               .locked = options_.dropout.locked,
                               .recurrent_weights = options_.dropout.recurrent_weights};
  Sequence x = embed(ids, shape, noise);
  for (size_t k = 0; k < blocks_.size(); ++k)
    x = {blocks_[k]->continued(x, {RowOrder::by_step, between, noise, k > 0}, state.blocks[k]), shape,
         RowOrder::by_step};
  Outputs out{.raw = x.x, .dropped = x.x};
  if (noise) {
    const DropoutSite site({.rate = options_.dropout.output, .locked = options_.dropout.locked}, noise);
    out.dropped = site.sequence(x.x, ops::row_ids(shape.steps().sequence_of_rows()));
  }
  out.hidden = projection_.weight ? projection_(out.dropped) : out.dropped;
  return out;
}

Var LanguageModel::read(std::span<const int32_t> ids, int64_t texts, LanguageState& state) const {
  return run(ids, texts, state, nullptr).hidden;
}

Var LanguageModel::regularisers(const Outputs& out, int64_t texts, const LanguageObjective& objective) const {
  const double width = static_cast<double>(out.raw.dim(1));
  const int64_t N = out.raw.dim(0);
  Var sum;
  if (objective.activation > 0) sum = ops::scale(sum_of_squares(out.dropped), objective.activation / width);
  if (objective.temporal_activation > 0 && N > texts) {
    const Var change =
        ops::add(ops::slice_rows(out.raw, texts, N), ops::scale(ops::slice_rows(out.raw, 0, N - texts), -1));
    // The mean over one step less, for as many targets.
    const double steps = static_cast<double>(N) / static_cast<double>(N - texts);
    const Var temporal = ops::scale(sum_of_squares(change), objective.temporal_activation * steps / width);
    sum = sum ? ops::add(sum, temporal) : temporal;
  }
  return sum;
}

LanguageLoss LanguageModel::loss(const LanguageBatch& batch, const LanguageObjective& objective, LanguageState& state,
                                 double scale, Noise* noise) const {
  check(batch.ids.size() == batch.targets.size(), "language model: ", batch.ids.size(), " tokens and ",
        batch.targets.size(), " targets");
  const Outputs out = run(batch.ids, batch.texts, state, noise);
  const auto xent =
      adaptive_ ? adaptive_->loss(out.hidden, batch.targets, {.scale = scale})
                : ops::projected_xent(out.hidden, output_.weight, output_.bias, batch.targets, {.scale = scale});
  LanguageLoss loss{xent.loss, xent.loss_sum, xent.nll_sum, xent.correct};
  if (!noise) return loss;
  if (const Var more = regularisers(out, batch.texts, objective)) {
    with_float(more.dtype(), [&]<class R>() { loss.loss_sum += static_cast<double>(more.value().data<R>()[0]); });
    loss.loss = ops::add(loss.loss, ops::scale(more, scale));
  }
  return loss;
}

LanguageState LanguageModel::state_of(const std::vector<std::pair<std::string, Tensor>>& tensors) const {
  if (tensors.empty()) return {};
  // What a state of one text looks like.
  LanguageState out;
  {
    const NoGrad off;
    const int32_t any[] = {0};
    read(any, 1, out);
  }
  int64_t rows = -1;
  size_t used = 0;
  const auto taken = [&](const std::string& name, const Shape& like, Dtype dtype) -> const Tensor& {
    const auto at = std::ranges::find(tensors, name, &std::pair<std::string, Tensor>::first);
    check<FormatError>(at != tensors.end(), "a state of this model has a tensor '", name, "', which is missing");
    const Tensor& t = at->second;
    if (rows < 0 && t.shape().rank() > 0) rows = t.dim(0);
    check<FormatError>(t.dtype() == dtype && t.shape().rank() == like.rank() && t.dim(0) == rows && rows > 0 &&
                           (like.rank() < 2 || t.dim(1) == like[1]),
                       "'", name, "' is ", t.shape(), ", which is no part of a state of this model");
    ++used;
    return t;
  };
  each_part(out, [&](const std::string& name, Var& part) {
    if (part) part = Var(taken(name, part.shape(), part.dtype()));
  });
  for (size_t k = 0; k < out.blocks.size(); ++k) {
    auto& known = out.blocks[k].known;
    if (known.empty()) continue;
    const auto ids = taken(str_cat("blocks.", k, ".known"), {1}, Dtype::i32).span<int32_t>();
    known.assign(ids.begin(), ids.end());
    for (const int32_t n : known)
      check<FormatError>(0 <= n && n <= options_.blocks[k].window, "'blocks.", k, ".known' says ", n);
  }
  check<FormatError>(used == tensors.size(), "there are ", tensors.size(), " tensors, and a state of this model has ",
                     used);
  return out;
}

}  // namespace lookback
