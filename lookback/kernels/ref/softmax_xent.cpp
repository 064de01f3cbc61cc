#include <algorithm>
#include <cmath>

#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {

template <class R>
void softmax_xent(const SoftmaxXent<R>& a) {
  const double e = a.smoothing, V = static_cast<double>(a.V);
  for (int64_t n = 0; n < a.N; ++n) {
    R* x = a.logits + n * a.V;
    const int64_t y = a.targets[n];
    const R* best = std::max_element(x, x + a.V);
    const R top = *best;
    a.correct[n] = best - x == y;
    double sum = 0, shifted = 0;
    for (int64_t v = 0; v < a.V; ++v) {
      sum += std::exp(static_cast<double>(x[v] - top));
      shifted += static_cast<double>(x[v] - top);
    }
    const double lse = std::log(sum);
    a.nlls[n] = lse - static_cast<double>(x[y] - top);
    a.losses[n] = (1 - e) * a.nlls[n] + e * (lse - shifted / V);
    if (!a.want_grad) continue;
    for (int64_t v = 0; v < a.V; ++v) {
      const double p = std::exp(static_cast<double>(x[v] - top)) / sum;
      // forward: loss = lse - (1-e) x[y] - e/V sum_v x[v]
      x[v] = a.scale * static_cast<R>(p - e / V - (v == y ? 1 - e : 0.0));
    }
  }
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(softmax_xent, SoftmaxXent)
