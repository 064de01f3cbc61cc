// Products of int8 rows with a packed weight. The sums are whole numbers, so they are the same on every rung, in any
// order; they become floats a tile at a time, in the first cache.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "lookback/kernels/products.h"

namespace lookback::kernels::cpu_impl {

// p.b, stored transposed, or p.b_int8 in blocks of columns. The memory of `old` is used again: null, or one of these.
std::unique_ptr<Packed> int8_pack(const Matmul<float>& p, std::unique_ptr<Packed> old);

// Of the columns of a b from int8_pack.
const float* int8_scales(const Packed& b);

// c[m,n] = a_scales[m] b_scales[n] sum_k a[m,k] b[k,n] (+ bias[n]) (+ c), as from_int8 gives it. No a is -128.
struct Int8Product {
  int64_t m, n, k;
  const int8_t* a;        // [m, k]
  const float* a_scales;  // [m]
  const Packed* b;        // from int8_pack
  float* c;
  int64_t ldc;
  bool accumulate;
  const float* bias;  // [n] or null
  int32_t* sums;      // [m, n], instead of c: the sums alone; or null
};

// Products of one m and n, one after another into the same c.
void int8_product(std::span<const Int8Product> products);

}  // namespace lookback::kernels::cpu_impl
