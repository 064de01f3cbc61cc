#include <cmath>

#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {

template <class R>
void layer_norm(const LayerNorm<R>& a) {
  const R C = static_cast<R>(a.C);
  for (int64_t n = 0; n < a.N; ++n) {
    const R* x = a.x + n * a.C;
    R sum = 0, squares = 0;
    for (int64_t k = 0; k < a.C; ++k) sum += x[k];
    const R mean = sum / C;
    for (int64_t k = 0; k < a.C; ++k) squares += (x[k] - mean) * (x[k] - mean);
    const R inverse_std = 1 / std::sqrt(squares / C + a.epsilon);
    a.mean[n] = mean;
    a.inverse_std[n] = inverse_std;
    for (int64_t k = 0; k < a.C; ++k) a.y[n * a.C + k] = a.gamma[k] * ((x[k] - mean) * inverse_std) + a.beta[k];
  }
}

template <class R>
void layer_norm_backward(const LayerNormBackward<R>& a) {
  const int64_t C = a.f.C;
  for (int64_t n = 0; n < a.f.N; ++n) {
    const R *x = a.f.x + n * C, *dy = a.dy + n * C;
    const R mean = a.f.mean[n], inverse_std = a.f.inverse_std[n];
    R sum = 0, projected = 0;
    for (int64_t k = 0; k < C; ++k) {
      const R normal = (x[k] - mean) * inverse_std, d = dy[k] * a.f.gamma[k];
      sum += d, projected += d * normal;
      if (a.dgamma) a.dgamma[k] += dy[k] * normal;
      if (a.dbeta) a.dbeta[k] += dy[k];
    }
    // forward: y = gamma * (x - mean) * inverse_std + beta; mean and std depend on every x of the row
    if (a.dx)
      for (int64_t k = 0; k < C; ++k) {
        const R normal = (x[k] - mean) * inverse_std, d = dy[k] * a.f.gamma[k];
        a.dx[n * C + k] += inverse_std * (d - (sum + normal * projected) / static_cast<R>(C));
      }
  }
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(layer_norm, LayerNorm)
LOOKBACK_REF_INSTANCES(layer_norm_backward, LayerNormBackward)
