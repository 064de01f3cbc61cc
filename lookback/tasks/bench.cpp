#include "lookback/tasks/bench.h"

#include "lookback/data/vocab.h"
#include "lookback/decode/search.h"

namespace lookback::tasks {
namespace {

std::vector<std::vector<int32_t>> random_sentences(int64_t count, int64_t length, int64_t vocabulary, Rng& rng) {
  std::vector<std::vector<int32_t>> out(static_cast<size_t>(count));
  const auto words = static_cast<uint64_t>(vocabulary - data::kSpecials);
  for (auto& s : out)
    for (int64_t t = 0; t < length; ++t) s.push_back(data::kSpecials + static_cast<int32_t>(rng.below(words)));
  return out;
}

}  // namespace

Bench::Bench(const BenchOptions& options)
    : options_(options),
      model_(options.model, {options.vocabulary, options.vocabulary}, static_cast<uint64_t>(options.seed)),
      params_(train::unique_parameters(params_of(model_))) {
  Rng rng(static_cast<uint64_t>(options.seed));
  batch_.source = random_sentences(options.batch, options.source, options.vocabulary, rng);
  batch_.target = random_sentences(options.batch, options.target - 1, options.vocabulary, rng);
}

Bench::~Bench() = default;

int64_t Bench::train_step() {
  if (!optimizer_) optimizer_ = train::make_optimizer({.kind = "adam", .lr = 1e-3}, params_);
  Noise noise{.seed = static_cast<uint64_t>(options_.seed), .step = ++step_};
  const int64_t tokens = options_.batch * options_.target;
  const auto loss = model_.loss(batch_, {.smoothing = 0}, 1.0 / static_cast<double>(tokens), &noise);
  backward(loss.loss);
  optimizer_->step(1e-3, train::clip_scale(norm_(params_), 1.0));
  train::clear_grads(params_);
  return tokens;
}

int64_t Bench::decode() {
  decode::SearchOptions search{.beam = 1,
                               .min_length = options_.target,
                               .max_length = options_.target,
                               .max_length_factor = 0,
                               .length_norm = "none"};
  std::vector<decode::SourceInfo> sources(batch_.source.size());
  for (decode::SourceInfo& s : sources) s.source_length = options_.source;
  const auto decoder = model_.decoder(batch_.source);
  int64_t tokens = 0;
  for (const auto& found : decode::search(*decoder, sources, search))
    tokens += static_cast<int64_t>(found[0].tokens.size());
  return tokens;
}

int64_t Bench::parameters() const {
  int64_t n = 0;
  for (const NamedVar& p : params_) n += p.var.value().size();
  return n;
}

}  // namespace lookback::tasks
