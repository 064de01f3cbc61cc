// Products with a packed weight by kernels of our own, where they beat the library's: a few rows in f32, which take as
// long as reading the weight does, and int8, whose sums become floats without a detour through memory. They give its
// bits (sums of whole numbers are exact, and those of floats follow its chain), so that a row does not depend on how
// many others there are.
#pragma once

#include <cstdint>

#include "lookback/kernels/cpu/onednn.h"

namespace lookback::kernels::cpu_impl {

// c[m,n] = a[m,k] b[k,n] (+ bias[n]) (+ c)
struct PackedProduct {
  int64_t m, n, k;
  onednn::Blocks b;
  float* c;
  int64_t ldc;
  bool accumulate;
  const float* bias;  // or null
};

// Each returns false, and has done nothing, if it does not know the blocks, if the library is the better choice for so
// many rows, or on processors that lack its instructions.
bool packed_product(const PackedProduct& p, const float* a, int64_t lda);
// Row i of the product is that of int8 rows times a_scales[i], column j times b_scales[j], as in from_int8. a: [m,k]
bool packed_product_int8(const PackedProduct& p, const int8_t* a, const float* a_scales, const float* b_scales);
// The sums [m,n] themselves. Of p only sizes and b.
bool packed_sums_int8(const PackedProduct& p, const int8_t* a, int32_t* sums);

}  // namespace lookback::kernels::cpu_impl
