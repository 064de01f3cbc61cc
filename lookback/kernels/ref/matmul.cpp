#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {

template <class R>
void matmul(const Matmul<R>& a) {
  for (int64_t m = 0; m < a.m; ++m)
    for (int64_t n = 0; n < a.n; ++n) {
      R sum = 0;
      for (int64_t k = 0; k < a.k; ++k)
        sum += (a.transpose_a ? a.a[k * a.lda + m] : a.a[m * a.lda + k]) *
               (a.transpose_b ? a.b[n * a.ldb + k] : a.b[k * a.ldb + n]);
      if (a.bias) sum += a.bias[n];
      R& c = a.c[m * a.ldc + n];
      c = a.accumulate ? c + sum : sum;
    }
}

template <class R>
void matmul_sum(const MatmulSum<R>& a) {
  for (const Matmul<R>& term : a.terms) matmul(term);
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(matmul, Matmul)
LOOKBACK_REF_INSTANCES(matmul_sum, MatmulSum)
