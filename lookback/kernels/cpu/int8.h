// Symmetric int8, one scale a row: see QuantiseRows in rows.h.
#pragma once

#include <cstdint>

#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/cpu.h"

namespace lookback::kernels::cpu_impl {

// q [rows, cols] and scales [rows], as quantise_rows gives them.
void to_int8(const FloatMatrix& x, int8_t* q, float* scales);

// Rows [n, k] in the order that oneDNN calls BA16a64b4a: blocks of 64 rows by 64 of k, a block [16, 64, 4], with zeros
// past the ends. compensation [n]: -128 times the sum of each row. Its own reorder takes 3 ns an element.
struct Int8Matrix {
  const int8_t* data;  // [n, k], ld elements from row to row
  int64_t n, k, ld;
};
void to_int8_blocks(const Int8Matrix& rows, int8_t* out, int32_t* compensation);

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
