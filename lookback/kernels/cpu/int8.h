// Symmetric int8, one scale a row: see QuantiseRows in rows.h.
#pragma once

#include <cstdint>

#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/cpu.h"

namespace lookback::kernels::cpu_impl {

// q [rows, cols] and scales [rows], as quantise_rows gives them.
void to_int8(const FloatMatrix& x, int8_t* q, float* scales);

// The product of quantised factors, back to floats, by this thread alone:
//   c[m,n] = sums[m,n] * a_scales[m] * b_scales[n] (+ bias[n]) (+ c)
struct Int8Sums {
  const int32_t* sums;  // [m, n], ld from row to row
  int64_t m, n, ld;
  const float *a_scales, *b_scales;
  const float* bias;  // [n] or null
};
void from_int8(const Int8Sums& sums, float* c, int64_t ldc, bool accumulate);

}  // namespace lookback::kernels::cpu_impl
