// Workloads for `lookback bench`: the same work, again and again, for the clock of whoever calls.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/models/seq2seq.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/parameters.h"

namespace lookback::tasks {

struct BenchOptions {
  Seq2SeqOptions model;
  int64_t vocabulary = 8000;
  int64_t batch = 64;
  int64_t source = 16, target = 16;
  int64_t seed = 1;

  void fields(FieldVisitor& v) {
    v("vocabulary", vocabulary, "entries of the source and of the target vocabulary").range(5, 1e7);
    v("batch", batch, "sentences trained on, or decoded, at once").range(1, 1e6);
    v("source", source, "tokens of each source sentence").range(1, 1e6);
    v("target", target, "tokens of each target sentence, its end included").range(1, 1e6);
    v("seed", seed, "of the weights and the sentences").range(0, 9e15);
    v("model", model);
  }
};

// A sequence-to-sequence model with random weights on random sentences.
class Bench {
 public:
  // Throws ConfigError for model options that do not go together.
  explicit Bench(const BenchOptions& options);
  ~Bench();

  // One training step: forward, backward, gradients clipped to norm 1, Adam. Returns the target tokens trained on.
  int64_t train_step();
  // Greedy decoding of one batch, exactly `target` tokens a sentence. Returns the tokens decoded.
  int64_t decode();
  int64_t parameters() const;

 private:
  BenchOptions options_;
  Seq2Seq model_;
  Seq2SeqBatch batch_;
  std::vector<NamedVar> params_;
  std::unique_ptr<train::Optimizer> optimizer_;
  train::GradNorm norm_;
  uint64_t step_ = 0;
};

}  // namespace lookback::tasks
