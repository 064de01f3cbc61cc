// Skip-gram with negative sampling (Mikolov et al. 2013, arXiv:1310.4546).
#pragma once

#include <cstdint>
#include <span>

#include "lookback/tensor/tensor.h"

namespace lookback::ops {

// N windows. The inputs of window n are inputs[begin[n]] to before inputs[begin[n + 1]], rows of one table; its T
// outputs are outputs[n T] to before outputs[(n + 1) T], rows of the other, the first of them the true one.
struct SkipGramWindows {
  std::span<const int64_t> begin;    // [N + 1], ascending
  std::span<const int32_t> inputs;   // what begin points into
  std::span<const int32_t> outputs;  // [N, T]
};

inline constexpr int64_t kMostSkipGramInputs = 256, kMostSkipGramOutputs = 128;  // of a window

// One step down the loss
//   sum over windows and their inputs x of  -log sigmoid(x.y_0) - sum_k>0 log sigmoid(-x.y_k)
// with the outputs y_0 .. y_T-1, shared by the inputs of a window (Ji et al. 2016, arXiv:1604.04661). Changes both
// tables, [any, W] of one type, f32 or f64, W a multiple of 16: where fewer values are wanted, zeros stay zeros. The
// errors e = rate (1 - sigmoid(x.y)) of true outputs and -rate sigmoid(x.y) of the others go to `errors`, one for each
// pair of input and output, window by window. All are taken from the tables as they are at first; then each window adds
// e y to its inputs and e x to its outputs, one window after the other. The same bits for any number of threads.
// Throws ShapeError.
void skip_gram_step(const SkipGramWindows& windows, double rate, const Tensor& in, const Tensor& out,
                    const Tensor& errors);

}  // namespace lookback::ops
