// Texts scored by a CTC model token by token, for beam search beside a decoder with attention.
#pragma once

#include <memory>
#include <vector>

#include "lookback/decode/step_decoder.h"

namespace lookback::decode {

struct CtcPrefixOptions {
  int32_t blank = 0;
  int32_t eos = 2;        // may not be the blank
  int32_t bos = 1;        // -1: none; may be the blank
  int64_t together = -1;  // sentences with a row from the start; the others wait. -1: all
};

// Label-synchronous CTC (Watanabe, Hori, Kim, Hershey and Hayashi 2017, "Hybrid CTC/attention architecture for
// end-to-end speech recognition", algorithm 2). The score of token c after the prefix g is
//   log p(g c ... | frames) - log p(g ... | frames)     of texts that begin so,
//   log p(g | frames) - log p(g ... | frames)           of eos: the text that is just this.
// So the scores of a finished text sum to its log-probability log p(text | frames), that of ops::ctc_loss; they are <=
// 0, since fewer texts begin with a longer prefix. All are log-probabilities (StepOutput::log_probs). The columns of
// blank, bos and eos are -infinity, eos's but for the end; log_probs of bos and eos are never read unless one is the
// blank. Where a prefix is itself impossible (or all that could follow is in those columns), nothing is left but eos,
// at 0. Exact: sums over all frames in wide numbers, T V products for each row and step.
class CtcPrefixDecoder final : public StepDecoder {
 public:
  // log_probs[b] f32 [T_b, V] of sentence b, all of one V: of every frame, normalised. T_b may be 0. Throws ShapeError,
  // ConfigError for special tokens outside of V or that clash, and NumericError for NaN and what is above 0.
  CtcPrefixDecoder(std::vector<Tensor> log_probs, const CtcPrefixOptions& options);
  ~CtcPrefixDecoder() override;

  StepOutput step(std::span<const int32_t> tokens, int64_t best = kAll) override;
  void reorder(std::span<const int32_t> from) override;
  int64_t vocabulary() const override { return vocabulary_; }
  int64_t waiting() const override;
  void admit(int64_t n) override;

 private:
  struct Sentence;
  struct Prefix;
  struct Row {
    int64_t sentence;
    std::shared_ptr<const Prefix> prefix;  // null: its first step, which is fed bos, is to come
  };
  void extend(Row& row, int32_t token) const;
  void score(const Row& row, float* out) const;

  CtcPrefixOptions options_;
  int64_t vocabulary_ = 0;
  std::vector<Sentence> sentences_;
  int64_t begun_ = 0;  // sentences that have had a row
  std::vector<Row> rows_;
};

}  // namespace lookback::decode
