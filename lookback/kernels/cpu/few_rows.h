// Products of one row or a few with a packed weight. They take as long as reading the weight does, which these kernels
// do without a pause; they give the bits that the library gives (int8 sums are exact, and sums of floats follow its
// chain), so that a row does not depend on how many others there are.
#pragma once

#include <cstdint>

#include "lookback/kernels/cpu/onednn.h"

namespace lookback::kernels::cpu_impl {

// c[m,n] = a[m,k] b[k,n] (+ bias[n]) (+ c)
struct FewRows {
  int64_t m, n, k;
  onednn::Blocks b;
  float* c;
  int64_t ldc;
  bool accumulate;
  const float* bias;  // or null
};

// False, and nothing done, if it is not made for so many rows, for these blocks, or for this processor.
bool few_rows(const FewRows& p, const float* a, int64_t lda);

// Row i of a is a_scales[i] * a[i], and column j of b has b_scales[j], as in from_int8. a: [m,k]
bool few_rows_int8(const FewRows& p, const int8_t* a, const float* a_scales, const float* b_scales);
// The sums [m,n] themselves. Of p only sizes and b.
bool few_rows_int8_sums(const FewRows& p, const int8_t* a, int32_t* sums);

}  // namespace lookback::kernels::cpu_impl
