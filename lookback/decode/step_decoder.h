#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/tensor/tensor.h"

namespace lookback::decode {

// What one step of a model gives to search. Both are read before the next call
// of the decoder, so it may reuse their memory.
struct StepOutput {
  Tensor logits;   // f32 [N, V], not normalised; -inf is allowed, NaN and +inf are not. With candidates [N, C]
  Tensor weights;  // f32 [N, T] attention of this step over the source positions (columns past a row's own source are
                   // 0); empty if the model has none. T may change when sentences join
  // With a shortlist, or if only the best were asked for: candidates[n], ascending, are the tokens of row n's first
  // columns, and the other columns are -inf. Of a shortlist, the row's distribution is over these tokens alone. Empty:
  // column k is token k.
  std::vector<std::span<const int32_t>> candidates = {};
  // The scores are log-probabilities or sums of them with weights >= 0, to be added as they stand: none is above 0, and
  // a row need not be a distribution, so nobody normalises it. (A draw takes tokens in proportion to e^score.)
  bool log_probs = false;
};

// What search needs from a model, and all it may use. A decoder is made for B
// sentences and starts with a row for each of the first of them, row b for
// sentence b; `waiting` sentences at the end have none yet.
struct StepDecoder {
  static constexpr int64_t kAll = 0;
  virtual ~StepDecoder() = default;
  // One previous token per current row. Of each row, at least the `best` likeliest tokens are wanted, equals included,
  // and a decoder that can save time may leave out others; kAll: the whole distribution is.
  virtual StepOutput step(std::span<const int32_t> tokens, int64_t best = kAll) = 0;
  // Row k continues old row from[k]. Rows may repeat or vanish and N may change;
  // rows stay grouped by sentence, in the order of the sentences.
  virtual void reorder(std::span<const int32_t> from) = 0;
  virtual int64_t vocabulary() const = 0;
  // Sentences without a row so far.
  virtual int64_t waiting() const { return 0; }
  // The next n of them, at most all, get a row each, behind the present rows.
  virtual void admit(int64_t n) { check(n == 0, "decoder: no sentence is waiting, ", n, " were to join"); }
};

}  // namespace lookback::decode
