// The products and the packed weights of oneDNN, in bf16; no other file knows the library.
#pragma once

#include <cstdint>
#include <memory>

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl::onednn {

// c[m,n] = a[m,k] b[k,n] (+ bias[n]) (+ c), all of them without gaps between rows. The stored b is [n,k] when
// transposed. a and b are bf16.
struct Product {
  int64_t m, n, k;
  const uint16_t* a;
  const uint16_t* b;
  bool transpose_b;
  const Packed* packed_b;  // instead of b, from pack; or null
  float* c;
  bool accumulate;
  const float* bias;
};

// False, and nothing done, if the library has no fast kernel for this. Keeps one primitive for each shape.
bool multiply(const Product& p);

// p.b in the layout that is asked for at 64 rows, which is also taken at any other number. The memory of `old` is used
// again: null, or one of these. Zeros below a b that is not transposed make it `depth` rows high, if it is not.
std::unique_ptr<Packed> pack(const Matmul<float>& p, std::unique_ptr<Packed> old, int64_t depth = 0);

// Whether the library has fast products on the rung in use, and a row's product with a packed weight, and any product
// on one thread, depends on that row alone: not on how many there are, nor on threads.
bool has_bf16();

// Whether the library took the order to leave tiles (AMX) alone, as it does unless something else in this process has
// used it before. Where it did not and there are tiles, nothing of the above is there.
bool is_held_below_tiles();

}  // namespace lookback::kernels::cpu_impl::onednn
