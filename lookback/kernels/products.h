// Kernels that multiply matrices. Sizes: m n k, as BLAS has them; see kernels.h for the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "lookback/base/precision.h"

namespace lookback::kernels {

// A matrix in the order, and of the precision, that the fast products like best; made once and used many times.
struct Packed {
  Precision precision = Precision::f32;
  virtual ~Packed() = default;
};

// A right-hand side: a weight as stored, and perhaps its packed copies.
template <class R>
struct Weight {
  const R* data;  // [rows, cols], ld elements from row to row
  int64_t rows, cols, ld;
  const Packed* packed = nullptr;             // for x W^T
  const Packed* packed_transposed = nullptr;  // for y W
};

// c[m,n] = sum_k a[m,k] b[k,n] (+ bias[n]) (+ c). The stored a is [m,k], or [k,m] when transposed; likewise b.
template <class R>
struct Matmul {
  int64_t m, n, k;
  const R* a;
  int64_t lda;
  bool transpose_a;
  const R* b;
  int64_t ldb;
  bool transpose_b;
  const Packed* packed_b;  // b again, packed; or null
  R* c;
  int64_t ldc;
  bool accumulate;
  const R* bias = nullptr;  // [n]
  // For packing in int8, instead of b: row j of the stored [n,k] is b_scales[j] * b_int8[j].
  const int8_t* b_int8 = nullptr;
  const float* b_scales = nullptr;
  // What a and b are rounded to, if this machine has such products of floats: int8 by packing only.
  // A packed b brings its own.
  Precision precision = Precision::f32;
};

// Products with one m, n, c and ldc, computed in this order: the bits of as many calls of matmul, of which all but the
// first accumulate.
template <class R>
struct MatmulSum {
  std::span<const Matmul<R>> terms;
};

// out (+)= x W^T (+ bias) for rows of x [rows, columns of W].
template <class R>
Matmul<R> product_of(int64_t rows, const R* x, const Weight<R>& w, R* out, bool accumulate, const R* bias = nullptr) {
  return {.m = rows,
          .n = w.rows,
          .k = w.cols,
          .a = x,
          .lda = w.cols,
          .b = w.data,
          .ldb = w.ld,
          .transpose_b = true,
          .packed_b = w.packed,
          .c = out,
          .ldc = w.rows,
          .accumulate = accumulate,
          .bias = bias};
}

// out (+)= y W for rows of y [rows, rows of W].
template <class R>
Matmul<R> transposed_product_of(int64_t rows, const R* y, const Weight<R>& w, R* out, bool accumulate) {
  return {.m = rows,
          .n = w.cols,
          .k = w.rows,
          .a = y,
          .lda = w.rows,
          .b = w.data,
          .ldb = w.ld,
          .packed_b = w.packed_transposed,
          .c = out,
          .ldc = w.cols,
          .accumulate = accumulate};
}

// Of each row of a b^T + bias, columns that hold its `count` largest values, and those values as matmul computes
// them, bit for bit; found without reading all of b. See cpu/top_k.h.
template <class R>
struct TopK {
  int64_t m, n, k;
  const R* a;  // [m, k]
  const R* b;  // [n, k], ldb elements from row to row
  int64_t ldb;
  const Packed* sketch;  // of b
  const R* bias;         // [n] or null
  int64_t count;
  int64_t capacity;  // columns that can be kept of a row
  int32_t* columns;  // [m, capacity] out, ascending
  R* values;         // [m, capacity] out
  int64_t* kept;     // [m] out
};

}  // namespace lookback::kernels
