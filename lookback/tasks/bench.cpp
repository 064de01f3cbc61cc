#include "lookback/tasks/bench.h"

#include <sstream>

#include "lookback/base/line_reader.h"
#include "lookback/data/vocab.h"
#include "lookback/decode/search.h"
#include "lookback/nn/recurrent.h"
#include "lookback/ops/linear.h"
#include "lookback/ops/precision.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/parameters.h"

namespace lookback::tasks {
namespace {

using Sentences = std::vector<std::vector<int32_t>>;

Precision demanded(const BenchOptions& o) {
  const std::string warning = ops::precision_warning(o.precision);
  check<ConfigError>(warning.empty(), warning);
  return ops::available_precision(o.precision);
}

// For work that goes backwards too.
Precision demanded_of_training(const BenchOptions& o) {
  check<ConfigError>(o.precision != "int8", "precision = int8 is for decoding; weights are trained in f32 or bf16");
  return demanded(o);
}

Sentences random_sentences(int64_t count, int64_t length, int64_t vocabulary, Rng& rng) {
  Sentences out(static_cast<size_t>(count));
  const auto words = static_cast<uint64_t>(vocabulary - data::kSpecials);
  for (auto& s : out)
    for (int64_t t = 0; t < length; ++t) s.push_back(data::kSpecials + static_cast<int32_t>(rng.below(words)));
  return out;
}

Tensor random_tensor(const Shape& shape, Rng& rng) {
  Tensor out(shape);
  for (float& x : out.span<float>()) x = static_cast<float>(0.2 * rng.uniform() - 0.1);
  return out;
}

ops::RecurrentWeights random_lstm(int64_t I, int64_t H, Rng& rng) {
  auto draw = [&](const Shape& s) { return Var::parameter(random_tensor(s, rng)); };
  return {draw({4 * H, I}), draw({4 * H, H}), draw({4 * H}), draw({4 * H})};
}

Seq2SeqBatch random_batch(const std::vector<std::pair<int64_t, int64_t>>& lengths, int64_t vocabulary, Rng& rng) {
  Seq2SeqBatch out;
  for (const auto& [source, target] : lengths) {
    out.source.push_back(random_sentences(1, source, vocabulary, rng)[0]);
    out.target.push_back(random_sentences(1, target - 1, vocabulary, rng)[0]);
  }
  return out;
}

// "5:7 3:4" is a batch of two pairs.
std::vector<std::pair<int64_t, int64_t>> read_lengths(const std::string& line, const std::string& where) {
  std::vector<std::pair<int64_t, int64_t>> out;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    int64_t source = 0, target = 0;
    char colon = 0, rest = 0;
    std::istringstream in(word);
    const bool good = (in >> source >> colon >> target) && !(in >> rest);
    check<FormatError>(good && colon == ':' && source > 0 && target > 0, where, ": '", word,
                       "' is not source:target, two lengths of at least 1");
    out.emplace_back(source, target);
  }
  check<FormatError>(!out.empty(), where, ": no pair of lengths");
  return out;
}

std::vector<Seq2SeqBatch> training_batches(const BenchOptions& o) {
  Rng rng(static_cast<uint64_t>(o.seed));
  if (o.lengths.empty())
    return {random_batch(std::vector<std::pair<int64_t, int64_t>>(static_cast<size_t>(o.batch), {o.source, o.target}),
                         o.vocabulary, rng)};
  std::vector<Seq2SeqBatch> out;
  LineReader lines(o.lengths);
  for (std::string line; lines.next(line);)
    out.push_back(random_batch(read_lengths(line, text(o.lengths, ":", lines.number())), o.vocabulary, rng));
  check<FormatError>(!out.empty(), o.lengths, ": no lines");
  return out;
}

// A training step: forward, backward, gradients clipped to norm 1, Adam.
class Training final : public BenchWork {
 public:
  explicit Training(const BenchOptions& o)
      : options_(o),
        precision_(demanded_of_training(o)),
        model_(o.model, {o.vocabulary, o.vocabulary}, static_cast<uint64_t>(o.seed)),
        params_(train::unique_parameters(params_of(model_))),
        optimizer_(train::make_optimizer({.kind = "adam", .lr = 1e-3}, params_)),
        batches_(training_batches(o)) {}

  double run() override {
    const PrecisionScope scope(precision_);
    const Seq2SeqBatch& batch = batches_[step_ % batches_.size()];
    Noise noise{.seed = static_cast<uint64_t>(options_.seed), .step = ++step_};
    double tokens = 0;
    for (const auto& y : batch.target) tokens += static_cast<double>(y.size() + 1);
    const auto loss = model_.loss(batch, {.smoothing = 0}, 1.0 / tokens, &noise);
    backward(loss.loss);
    optimizer_->step(1e-3, train::clip_scale(norm_(params_), 1.0));
    train::clear_grads(params_);
    return tokens;
  }

  // Every weight meets every row of its side three times: forward, and backward for its input and for itself.
  double operations() const override {
    double out = 0;
    if (!options_.lengths.empty()) return 0;  // differs from batch to batch
    for (const NamedVar& p : params_) {
      if (p.var.shape().rank() != 2) continue;
      const auto named = [&](const char* part) { return p.name.find(part) != std::string::npos; };
      const bool tied_output = options_.model.tie != "none" && p.name == "decoder.embedding.weight";
      if (named("embedding") && !tied_output) continue;
      const int64_t rows = named("bridge")                              ? options_.batch
                           : named("encoder.") || named("score.memory") ? options_.batch * options_.source
                                                                        : options_.batch * options_.target;
      out += 6.0 * static_cast<double>(rows) * static_cast<double>(p.var.value().size());
    }
    return out;
  }

 private:
  const BenchOptions options_;
  const Precision precision_;
  Seq2Seq model_;
  const std::vector<NamedVar> params_;
  const std::unique_ptr<train::Optimizer> optimizer_;
  const std::vector<Seq2SeqBatch> batches_;
  train::GradNorm norm_;
  uint64_t step_ = 0;
};

// Search for exactly `target` tokens a sentence.
class Decoding final : public BenchWork {
 public:
  explicit Decoding(const BenchOptions& o)
      : precision_(demanded(o)), model_(o.model, {o.vocabulary, o.vocabulary}, static_cast<uint64_t>(o.seed)) {
    Rng rng(static_cast<uint64_t>(o.seed));
    source_ = random_sentences(o.batch, o.source, o.vocabulary, rng);
    infos_.resize(source_.size());
    for (decode::SourceInfo& s : infos_) s.source_length = o.source;
    search_ = {
        .beam = o.beam, .min_length = o.target, .max_length = o.target, .max_length_factor = 0, .length_norm = "none"};
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const auto decoder = model_.decoder(source_);
    size_t tokens = 0;
    for (const auto& found : decode::search(*decoder, infos_, search_)) tokens += found[0].tokens.size();
    return static_cast<double>(tokens);
  }

 private:
  const Precision precision_;
  const Seq2Seq model_;
  Sentences source_;
  std::vector<decode::SourceInfo> infos_;
  decode::SearchOptions search_;
};

// Forward and backward of one LSTM layer, as wide as the decoder.
class Layer final : public BenchWork {
 public:
  explicit Layer(const BenchOptions& o)
      : precision_(demanded_of_training(o)), steps_(Steps::dense(o.source, o.batch)), hidden_(o.model.decoder.hidden) {
    Rng rng(static_cast<uint64_t>(o.seed));
    weights_ = random_lstm(hidden_, hidden_, rng);
    x_ = Var::parameter(random_tensor({steps_.N(), hidden_}, rng));
    dh_ = random_tensor({steps_.N(), hidden_}, rng);
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const auto out = ops::lstm(x_, steps_, weights_);
    backward(ops::weighted_sum(out.h, dh_));
    for (const Var& v : {x_, weights_.w_ih, weights_.w_hh, weights_.b_ih, weights_.b_hh}) v.clear_grad();
    for (const Var& v : {weights_.w_ih, weights_.w_hh}) v.touch();  // as after an update
    return operations() * 1e-9;
  }

  double operations() const override {
    return 3.0 * 2 * static_cast<double>(steps_.N()) * 4 * static_cast<double>(hidden_) *
           static_cast<double>(2 * hidden_);
  }

 private:
  const Precision precision_;
  const Steps steps_;
  const int64_t hidden_;
  ops::RecurrentWeights weights_;
  Var x_;
  Tensor dh_;
};

// An LSTM that is fed one step at a time, as wide as the decoder.
class Streaming final : public BenchWork {
 public:
  explicit Streaming(const BenchOptions& o)
      : precision_(demanded(o)), steps_(o.source), batch_(o.batch), hidden_(o.model.decoder.hidden) {
    Rng rng(static_cast<uint64_t>(o.seed));
    weights_ = random_lstm(hidden_, hidden_, rng);
    x_ = Var(random_tensor({batch_, hidden_}, rng));
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const NoGrad off;
    CellState state{Var(Tensor::zeros({batch_, hidden_})), Var(Tensor::zeros({batch_, hidden_}))};
    for (int64_t t = 0; t < steps_; ++t)
      state = cell_step(CellKind::lstm, weights_, ops::linear(x_, weights_.w_ih, {.bias = weights_.b_ih}), state);
    return static_cast<double>(steps_);
  }

 private:
  const Precision precision_;
  const int64_t steps_, batch_, hidden_;
  ops::RecurrentWeights weights_;
  Var x_;
};

// What the machine can do at best: a product of 1024 rows with a packed weight of 1024 by 1024.
class Product final : public BenchWork {
 public:
  explicit Product(const BenchOptions& o) : precision_(demanded(o)) {
    Rng rng(static_cast<uint64_t>(o.seed));
    x_ = Var(random_tensor({kSize, kSize}, rng)), w_ = Var(random_tensor({kSize, kSize}, rng));
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const NoGrad off;
    for (int k = 0; k < kRepeat; ++k) ops::linear(x_, w_, {});
    return operations() * 1e-9;
  }

  double operations() const override { return kRepeat * 2.0 * kSize * kSize * kSize; }

 private:
  static constexpr int64_t kSize = 1024;
  static constexpr int kRepeat = 20;
  const Precision precision_;
  Var x_, w_;
};

template <class Work>
std::unique_ptr<BenchWork> make(const BenchOptions& o) {
  return std::make_unique<Work>(o);
}

constexpr BenchKind kKinds[] = {
    {"train", "training steps of an encoder-decoder", "target tokens/s", &make<Training>},
    {"decode", "search with an encoder-decoder", "tokens/s", &make<Decoding>},
    {"lstm", "forward and backward of one layer", "GFLOP/s", &make<Layer>},
    {"stream", "one layer, one step at a time", "steps/s", &make<Streaming>},
    {"product", "the largest matrix product: what the machine can do", "GFLOP/s", &make<Product>},
};

}  // namespace

std::span<const BenchKind> bench_kinds() { return kKinds; }

}  // namespace lookback::tasks
