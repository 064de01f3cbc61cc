#include "lookback/ops/int8_rows.h"

#include "lookback/kernels/kernels.h"

namespace lookback::ops {

Int8Rows to_int8_rows(const Tensor& x) {
  check(x.shape().rank() == 2, "to_int8_rows: expected a matrix, got ", x.shape());
  Int8Rows out{Tensor(x.shape(), Dtype::i8), Tensor({x.dim(0)})};
  kernels::best<float>().quantise_rows({.N = x.dim(0),
                                        .C = x.dim(1),
                                        .x = x.data<float>(),
                                        .q = out.rows.data<int8_t>(),
                                        .scales = out.scales.data<float>()});
  return out;
}

Tensor to_floats(const Int8Rows& x) {
  Tensor out(x.rows.shape());
  const int64_t C = out.dim(1);
  for (int64_t n = 0; n < out.dim(0); ++n) {
    const float scale = x.scales.data<float>()[n];
    const int8_t* from = x.rows.data<int8_t>() + n * C;
    float* to = out.data<float>() + n * C;
    for (int64_t k = 0; k < C; ++k) to[k] = scale * static_cast<float>(from[k]);
  }
  return out;
}

}  // namespace lookback::ops
