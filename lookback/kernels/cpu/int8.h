// Symmetric int8, one scale a row: x = scale * q with q in [-127, 127].
#pragma once

#include <cstdint>

#include "lookback/kernels/cpu/bf16.h"

namespace lookback::kernels::cpu_impl {

// q [rows, cols] and scales [rows]. The scale of a row is its largest magnitude / 127; of a row
// that holds something not finite, NaN.
void to_int8(const FloatMatrix& x, int8_t* q, float* scales);

// The product of quantised factors, back to floats: c[m,n] = sums[m,n] * a_scales[m] * b_scales[n] (+ bias[n]) (+ c).
// Without the last c, it may lie where the sums are: half the memory to go through.
struct Int8Sums {
  const int32_t* sums;  // [m, n]
  int64_t m, n;
  const float *a_scales, *b_scales;
  const float* bias;  // [n] or null
};
void from_int8(const Int8Sums& sums, float* c, int64_t ldc, bool accumulate);

}  // namespace lookback::kernels::cpu_impl
