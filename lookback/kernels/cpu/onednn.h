// The products and the packed weights of oneDNN; no other file knows the library.
#pragma once

#include <cstdint>
#include <memory>

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl::onednn {

// c[m,n] = a[m,k] b[k,n] (+ bias[n]) (+ c), all of them without gaps between rows. The stored b is [n,k] when
// transposed. a and b hold numbers of the precision, bf16 or int8; c holds i32 for int8, else floats.
struct Product {
  int64_t m, n, k;
  Precision precision;
  const void* a;
  const void* b;
  bool transpose_b;
  const Packed* packed_b;  // instead of b, from pack; or null
  void* c;
  bool accumulate;
  const float* bias;
};

// False, and nothing done, if the library has no fast kernel for this. Keeps one primitive for each shape.
bool multiply(const Product& p);

// p.b in p.precision, bf16 or int8, in the layout that is asked for at 64 rows, which is also taken at any other
// number. The memory of `old` is used again: null, or one of the same precision. In bf16, zeros below a b that is not
// transposed make it `depth` rows high, if it is not.
std::unique_ptr<Packed> pack(const Matmul<float>& p, std::unique_ptr<Packed> old, int64_t depth = 0);

// Of the columns of a b packed in int8.
const float* scales(const Packed& b);

// How a b packed in int8 lies in memory: blocks of 64 columns one behind the other, in a block the 64 columns of each
// four of k, zeros past the ends.
struct Blocks {
  static constexpr int64_t kColumns = 64;
  const int8_t* data = nullptr;           // null: in another way
  int64_t stride = 0;                     // bytes from block to block
  const int32_t* compensation = nullptr;  // [n] -128 times the sum of each column
};
Blocks blocks(const Packed& b);

// Whether the library has fast products of this precision, bf16 or int8, on the rung in use, and a row's product with a
// packed weight, and any product on one thread, depends on that row alone: not on how many there are, nor on threads.
bool has(Precision precision);

// Whether the library took the order to leave tiles (AMX) alone, as it does unless something else in this process has
// used it before. Where it did not and there are tiles, nothing of the above is there.
bool is_held_below_tiles();

}  // namespace lookback::kernels::cpu_impl::onednn
