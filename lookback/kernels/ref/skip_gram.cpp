#include <cmath>
#include <vector>

#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {

template <class R>
void skip_gram(const SkipGram<R>& a) {
  const auto row = [&](R* table, int32_t id) { return table + id * a.W; };
  R* errors = a.errors;
  for (int64_t n = 0; n < a.N; ++n)
    for (int64_t c = a.begin[n]; c < a.begin[n + 1]; ++c)
      for (int64_t k = 0; k < a.T; ++k) {
        const R *x = row(a.in, a.inputs[c]), *y = row(a.out, a.outputs[n * a.T + k]);
        R dot = 0;
        for (int64_t w = 0; w < a.W; ++w) dot += x[w] * y[w];
        *errors++ = a.rate * ((k == 0 ? 1 : 0) - 1 / (1 + std::exp(-dot)));
      }
  for (int64_t n = 0; n < a.N; ++n) {
    const int32_t *inputs = a.inputs + a.begin[n], *outputs = a.outputs + n * a.T;
    const int64_t C = a.begin[n + 1] - a.begin[n];
    const R* e = a.errors + (a.begin[n] - a.begin[0]) * a.T;
    std::vector<R> dx(static_cast<size_t>(C * a.W)), dy(static_cast<size_t>(a.T * a.W));
    for (int64_t c = 0; c < C; ++c)
      for (int64_t k = 0; k < a.T; ++k)
        for (int64_t w = 0; w < a.W; ++w) {
          dx[static_cast<size_t>(c * a.W + w)] += e[c * a.T + k] * row(a.out, outputs[k])[w];
          dy[static_cast<size_t>(k * a.W + w)] += e[c * a.T + k] * row(a.in, inputs[c])[w];
        }
    for (int64_t c = 0; c < C; ++c)
      for (int64_t w = 0; w < a.W; ++w) row(a.in, inputs[c])[w] += dx[static_cast<size_t>(c * a.W + w)];
    for (int64_t k = 0; k < a.T; ++k)
      for (int64_t w = 0; w < a.W; ++w) row(a.out, outputs[k])[w] += dy[static_cast<size_t>(k * a.W + w)];
  }
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(skip_gram, SkipGram)
