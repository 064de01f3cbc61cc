// Products of int8 rows with a packed weight by AVX512-VNNI: sums become floats in
// registers, without a detour through memory.
#pragma once

#include <cstdint>
#include <span>

#include "lookback/kernels/cpu/onednn.h"

namespace lookback::kernels::cpu_impl {

// c[m,n] = a_scales[m] b_scales[n] sum_k a[m,k] b[k,n] (+ bias[n]) (+ c), as from_int8 gives it.
struct Int8Product {
  int64_t m, n, k;
  const int8_t* a;        // [m, k]
  const float* a_scales;  // [m]
  onednn::Blocks b;
  const float* b_scales;  // [n]
  float* c;
  int64_t ldc;
  bool accumulate;
  const float* bias;  // [n] or null
  int32_t* sums;      // [m, n], instead of c: the sums alone; or null
};

// Whether int8_product is there for b: not without AVX512-VNNI, nor if b lies in memory in another way than Blocks
// says.
bool has_int8_product(const onednn::Blocks& b);
// Products of one m and n, one after another into the same c. There must be one for each of them.
void int8_product(std::span<const Int8Product> products);

}  // namespace lookback::kernels::cpu_impl
