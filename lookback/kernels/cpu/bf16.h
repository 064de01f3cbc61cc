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

// The same of x transposed: [x.cols, rows_made], by this thread alone. rows_made: a multiple of 8.
const uint16_t* to_bf16_transposed(const FloatMatrix& x, int64_t rows_made, std::vector<uint16_t>& buffer);

// The right factor of a product in the order that oneDNN calls BA16a64b2a (or 48, 32, 16): blocks of `width` columns
// one behind the other, in a block the columns of each two rows, a pair for each; zeros past the ends.
struct Bf16Blocks {
  uint32_t* data;  // null: in another way
  int64_t rows;    // with those that are zero: an even number
  int64_t width;   // a multiple of 16
};

// transposed: x is stored [columns, rows] of the factor
void to_bf16_pairs(const FloatMatrix& x, bool transposed, const Bf16Blocks& to);

}  // namespace lookback::kernels::cpu_impl
