// Bench works that are a whole encoder-decoder.
#include <sstream>

#include "lookback/base/line_reader.h"
#include "lookback/bench/parts.h"
#include "lookback/data/vocab.h"
#include "lookback/decode/search.h"
#include "lookback/tasks/task.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/parameters.h"

namespace lookback::bench {
namespace {

using Sentences = std::vector<std::vector<int32_t>>;

Sentences random_sentences(int64_t count, int64_t length, int64_t vocabulary, Rng& rng) {
  Sentences out(static_cast<size_t>(count));
  const auto words = static_cast<uint64_t>(vocabulary - data::kSpecials);
  for (auto& s : out)
    for (int64_t t = 0; t < length; ++t) s.push_back(data::kSpecials + static_cast<int32_t>(rng.below(words)));
  return out;
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

std::vector<Seq2SeqBatch> training_batches(const Options& o) {
  Rng rng(static_cast<uint64_t>(o.seed));
  if (o.lengths.empty())
    return {random_batch(std::vector<std::pair<int64_t, int64_t>>(static_cast<size_t>(o.batch), {o.source, o.target}),
                         o.vocabulary, rng)};
  std::vector<Seq2SeqBatch> out;
  LineReader lines(o.lengths);
  for (std::string line; lines.next(line);)
    out.push_back(random_batch(read_lengths(line, str_cat(o.lengths, ":", lines.number())), o.vocabulary, rng));
  check<FormatError>(!out.empty(), o.lengths, ": no lines");
  return out;
}

// A training step: forward, backward, gradients clipped to norm 1, Adam.
class Training final : public Work {
 public:
  explicit Training(const Options& o)
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
  const Options options_;
  const Precision precision_;
  Seq2Seq model_;
  const std::vector<NamedVar> params_;
  const std::unique_ptr<train::Optimizer> optimizer_;
  const std::vector<Seq2SeqBatch> batches_;
  train::GradNorm norm_;
  uint64_t step_ = 0;
};

// Search for exactly `target` tokens a sentence.
class Decoding final : public Work {
 public:
  explicit Decoding(const Options& o)
      : precision_(demanded(o)), model_(o.model, {o.vocabulary, o.vocabulary}, static_cast<uint64_t>(o.seed)) {
    Rng rng(static_cast<uint64_t>(o.seed));
    source_ = random_sentences(o.batch, o.source, o.vocabulary, rng);
    infos_.resize(source_.size());
    for (decode::SourceInfo& s : infos_) s.source_length = o.source;
    search_ = {
        .beam = o.beam, .min_length = o.target, .max_length = o.target, .max_length_factor = 0, .length_norm = "none"};
    search_.scores = o.beam > 1;  // as predict does
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const auto decoder = model_.decoder({source_});
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

// A model folder is loaded and translates its first line: what a program waits for before its first result, without its
// own start.
class Loading final : public Work {
 public:
  explicit Loading(const Options& o) : folder_(o.folder) {
    check<ConfigError>(!folder_.empty(), "bench load: --folder MODEL is missing: the model folder to load");
  }

  double run() override {
    const auto model = tasks::task_of_model(folder_).load({folder_});
    model->validate(*model->options(), [](Severity, std::string_view) {});
    const tasks::Input line{.line = 1, .fields = {{"source", "a b c d e f g h"}}};
    model->predict({&line, 1});
    return 1;
  }

 private:
  const std::string folder_;
};

}  // namespace

std::vector<Case> training(const Options& o) { return one_case<Training>(o); }
std::vector<Case> decoding(const Options& o) { return one_case<Decoding>(o); }
std::vector<Case> loading(const Options& o) { return one_case<Loading>(o); }

}  // namespace lookback::bench
