// Rounding to bf16, the upper half of a float.
#pragma once

#include <cstdint>
#include <vector>

namespace lookback::kernels::cpu_impl {

struct FloatMatrix {
  const float* data;  // [rows, cols], ld elements from row to row
  int64_t rows, cols, ld;
};

// x rounded to the nearest, ties to even, row after row at the start of `buffer`, which grows as
// needed; rows from x.rows to rows_made are zero. NaN stays NaN.
const uint16_t* to_bf16(const FloatMatrix& x, int64_t rows_made, std::vector<uint16_t>& buffer);

}  // namespace lookback::kernels::cpu_impl
