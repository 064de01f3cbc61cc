// Bench works that are a language model.
#include "lookback/bench/parts.h"
#include "lookback/data/vocab.h"
#include "lookback/decode/search.h"
#include "lookback/models/language_session.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/parameters.h"

namespace lookback::bench {
namespace {

std::vector<int32_t> random_words(int64_t count, int64_t vocabulary, Rng& rng) {
  std::vector<int32_t> out;
  const auto words = static_cast<uint64_t>(vocabulary - data::kSpecials);
  for (int64_t k = 0; k < count; ++k) out.push_back(data::kSpecials + static_cast<int32_t>(rng.below(words)));
  return out;
}

// A training step on `batch` texts of `target` steps: forward, backward, gradients clipped to norm 0.25, SGD.
class LanguageTraining final : public Work {
 public:
  explicit LanguageTraining(const Options& o)
      : options_(o),
        precision_(demanded_of_training(o)),
        model_(o.language, o.vocabulary, static_cast<uint64_t>(o.seed)),
        params_(train::unique_parameters(params_of(model_))),
        optimizer_(train::make_optimizer({.kind = "sgd", .lr = 1}, params_)) {
    Rng rng(static_cast<uint64_t>(o.seed));
    batch_ = {.texts = o.batch,
              .ids = random_words(o.batch * o.target, o.vocabulary, rng),
              .targets = random_words(o.batch * o.target, o.vocabulary, rng)};
  }

  double run() override {
    const PrecisionScope scope(precision_);
    Noise noise{.seed = static_cast<uint64_t>(options_.seed), .step = ++step_};
    const auto tokens = static_cast<double>(batch_.ids.size());
    backward(model_.loss(batch_, {}, state_, 1 / tokens, &noise).loss);
    optimizer_->step(1, train::clip_scale(norm_(params_), 0.25));
    train::clear_grads(params_);
    return tokens;
  }

 private:
  const Options options_;
  const Precision precision_;
  LanguageModel model_;
  const std::vector<NamedVar> params_;
  const std::unique_ptr<train::Optimizer> optimizer_;
  LanguageBatch batch_;
  LanguageState state_;
  train::GradNorm norm_;
  uint64_t step_ = 0;
};

// One text is written, token by token, each the likeliest one.
class LanguageWriting final : public Work {
 public:
  explicit LanguageWriting(const Options& o)
      : precision_(demanded(o)), model_(o.language, o.vocabulary, static_cast<uint64_t>(o.seed)) {
    search_ = {.beam = 1, .min_length = o.target, .max_length = o.target, .max_length_factor = 0};
    search_.scores = false;
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const auto decoder = make_decoder(LanguageSession(model_));
    return static_cast<double>(decode::search(*decoder, {{}}, search_)[0][0].tokens.size());
  }

 private:
  const Precision precision_;
  const LanguageModel model_;
  decode::SearchOptions search_;
};

}  // namespace

std::vector<Case> language_training(const Options& o) { return one_case<LanguageTraining>(o); }
std::vector<Case> language_writing(const Options& o) { return one_case<LanguageWriting>(o); }

}  // namespace lookback::bench
