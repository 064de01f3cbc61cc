// Rounding to bf16, the upper half of a float, and what comes of it.
#pragma once

#include <cstdint>

#include "lookback/kernels/cpu/narrow_product.h"

namespace lookback::kernels::cpu_impl {

struct FloatMatrix {
  const float* data;  // [rows, cols], ld elements from row to row
  int64_t rows, cols, ld;
};

// x rounded to the nearest, ties to even, as a left factor [x.rows, x.cols] in `order`, zeros at the end of the last
// step. NaN stays NaN.
void to_bf16(const FloatMatrix& x, const NarrowOrder& order, uint32_t* out);

// The same of x transposed, by this thread alone. order.group: 1 or a multiple of 16.
void to_bf16_transposed(const FloatMatrix& x, const NarrowOrder& order, uint32_t* out);

// x as a right factor [k, n], or [n, k] if it is stored transposed; `out` is laid out for it.
void to_bf16_blocks(const FloatMatrix& x, bool transposed, const NarrowBlocks& out);

// c[m,n] = sums[m,n] (+ bias[n]) (+ c), by this thread alone.
struct Bf16Sums {
  const float* sums;  // [m, n], ld from row to row
  int64_t m, n, ld;
  const float* bias;  // [n] or null
};
void from_bf16(const Bf16Sums& sums, float* c, int64_t ldc, bool accumulate);

}  // namespace lookback::kernels::cpu_impl
