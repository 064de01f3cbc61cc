#include "lookback/ops/top_k.h"

#include <algorithm>
#include <limits>

#include "lookback/ops/internal.h"

namespace lookback::ops {

std::optional<RowColumns> top_k(const Var& x, const Var& w, const Var& bias, int64_t count) {
  check(x.shape().rank() == 2 && w.shape().rank() == 2 && x.dim(1) == w.dim(1) && x.dtype() == Dtype::f32,
        "top_k: x f32 [N, I] and w [O, I] expected, got ", name_of(x.dtype()), " ", x.shape(), " and ", w.shape());
  const int64_t N = x.dim(0), O = w.dim(0);
  check(!bias || bias.shape() == Shape{O}, "top_k: bias must be ", Shape{O});
  check(count > 0, "top_k: count must be at least 1, got ", count);
  if (product_precision() != Precision::f32) return {};
  const kernels::Weight<float> weight = sketched_weight(w);
  if (!weight.packed) return {};
  const int64_t capacity = O / 16;
  std::vector<int32_t> columns(static_cast<size_t>(N * capacity));
  std::vector<float> values(columns.size());
  std::vector<int64_t> kept(static_cast<size_t>(N));
  if (!kernels::best<float>().top_k({.m = N,
                                     .n = O,
                                     .k = x.dim(1),
                                     .a = x.value().data<float>(),
                                     .b = weight.data,
                                     .ldb = weight.ld,
                                     .sketch = weight.packed,
                                     .bias = data_or_null<float>(bias),
                                     .count = count,
                                     .capacity = capacity,
                                     .columns = columns.data(),
                                     .values = values.data(),
                                     .kept = kept.data()}))
    return {};
  RowColumns out{Tensor({N, *std::max_element(kept.begin(), kept.end())}), {}};
  float* to = out.values.data<float>();
  for (int64_t n = 0; n < N; ++n) {
    const auto first = columns.begin() + n * capacity;
    const int64_t some = kept[static_cast<size_t>(n)];
    out.columns.emplace_back(first, first + some);
    std::copy_n(values.begin() + n * capacity, some, to);
    std::fill(to + some, to + out.values.dim(1), -std::numeric_limits<float>::infinity());
    to += out.values.dim(1);
  }
  return out;
}

}  // namespace lookback::ops
