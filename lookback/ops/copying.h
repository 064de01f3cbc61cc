// Outputs that may repeat what they were made from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lookback/ops/basic.h"
#include "lookback/ops/loss.h"

namespace lookback::ops {

// What an output may copy: the tokens of the sentence that each row attends to.
struct CopySource {
  // Of each sentence, what each of its tokens is as a token of the output: an id below V or, for one that the
  // vocabulary lacks, one from V on that stands for equal tokens of this sentence; negative: no token of an output.
  std::vector<std::vector<int32_t>> tokens;
  RowIds sentence_of_row;  // [N]
  int64_t shortening = 1;  // so many tokens stand behind each column of weights, and share it

  // Calls f(token, column, share) for every token of a sentence that an output may have: its weight is `share` times
  // that of the column.
  template <class F>
  void each(int32_t sentence, F&& f) const {
    const auto& all = tokens[static_cast<size_t>(sentence)];
    const int64_t count = std::ssize(all);
    for (int64_t k = 0; k < count; ++k) {
      const int64_t column = k / shortening, together = std::min(shortening, count - column * shortening);
      const int32_t token = all[static_cast<size_t>(k)];
      if (token >= 0) f(token, column, 1.0 / static_cast<double>(together));
    }
  }
};

// projected_xent of a mixture of writing and copying, the pointer-generator of See et al. 2017:
//   p(y) = g softmax(hidden w^T + bias)[y] + (1 - g) sum over source tokens i that are y of weights[n,i] / sum[n],
//   g = sigmoid(gate[n]), sum[n] = sum over source tokens i that an output may have of weights[n,i].
// Where that sum is less than 1e-12, nothing is copied: g = 1.
// hidden [N, H], w [V, H], bias [V] or absent, gate [N, 1], weights [N, T]; targets [N], from V on those of the row's
// sentence. Smoothing is of the softmax: (1 - smoothing) (-log p(y)) - smoothing / V sum over v of log softmax[v].
// A target that neither part can give has the probability 1e-20. Throws ShapeError.
struct Copying {
  Var gate, weights;
  CopySource source;
};
XentOut copy_xent(const Var& hidden, const Var& w, const Var& bias, const Copying& copying,
                  const std::vector<int32_t>& targets, const XentOptions& options = {});

// Logits [N, V] of the softmax become those of the mixture, [N, V + extra] with `extra` at least the most tokens that
// any sentence has beyond the vocabulary; a row's columns beyond its own are -inf. No gradients.
Tensor copy_logits(const Tensor& logits, const Copying& copying, int64_t extra);

}  // namespace lookback::ops
