// Kernels of losses. N rows, V vocabulary.
#pragma once

#include <cstdint>

namespace lookback::kernels {

// Softmax cross-entropy of rows of logits, with label smoothing e over all V classes:
// loss = -(1-e) log p[y] - e/V sum_v log p[v]. The logits become d(loss)/d(logits) * scale.
template <class R>
struct SoftmaxXent {
  int64_t N, V;
  double smoothing;
  R scale;
  const int32_t* targets;  // [N]
  R* logits;               // [N, V] in: logits; out: gradient, if want_grad
  bool want_grad;
  double* losses;   // [N] loss of each row
  double* nlls;     // [N] -log p[y] of each row
  int8_t* correct;  // [N] whether y has the largest logit
};

}  // namespace lookback::kernels
