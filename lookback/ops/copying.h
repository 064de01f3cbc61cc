// Outputs that may repeat what they were made from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "lookback/ops/basic.h"
#include "lookback/ops/loss.h"

namespace lookback::ops {

// What an output may copy of one sentence.
struct CopySentence {
  std::vector<int32_t> distinct;  // the tokens of an output that it has, ascending
  std::vector<int32_t> place;     // of each of its tokens among them; negative: no token of an output

  // Of each of its tokens, what it is as a token of the output: an id below V or, for one that the vocabulary lacks,
  // one from V on that stands for equal tokens of this sentence; negative: no token of an output.
  CopySentence(const std::vector<int32_t>& tokens);  // NOLINT: a sentence is its tokens
};
using CopySentences = std::shared_ptr<const std::vector<CopySentence>>;

// What an output may copy: of each row, what the sentence has that it attends to.
struct CopySource {
  CopySentences sentences;
  RowIds sentence_of_row;  // [N]
  int64_t shortening = 1;  // so many tokens stand behind each column of weights, and share it

  const CopySentence& sentence(int64_t row) const {
    return (*sentences)[static_cast<size_t>((*sentence_of_row)[static_cast<size_t>(row)])];
  }
  // Calls f(place, column, share) for every token of a row's sentence that an output may have: its weight is `share`
  // times that of the column.
  template <class F>
  void each(int64_t row, F&& f) const {
    const auto& all = sentence(row).place;
    const int64_t count = std::ssize(all);
    for (int64_t k = 0; k < count; ++k) {
      const int32_t place = all[static_cast<size_t>(k)];
      if (place < 0) continue;
      const int64_t column = k / shortening, together = std::min(shortening, count - column * shortening);
      f(static_cast<size_t>(place), column, 1.0 / static_cast<double>(together));
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

// Logits [N, V + extra] of the mixture, `extra` at least the most tokens that any sentence has beyond the vocabulary; a
// row's columns beyond its own are -inf. All f32. No gradients.
Tensor copy_logits(const Var& hidden, const Var& w, const Var& bias, const Copying& copying, int64_t extra);

}  // namespace lookback::ops
