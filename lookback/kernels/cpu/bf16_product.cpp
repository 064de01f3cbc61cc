#include "lookback/kernels/cpu/bf16_product.h"

#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels::cpu_impl {
namespace {

FloatMatrix stored_a(const Matmul<float>& p) {
  return {.data = p.a, .rows = p.transpose_a ? p.k : p.m, .cols = p.transpose_a ? p.m : p.k, .ld = p.lda};
}

// p, whose b is packed, with its rounded a.
NarrowProduct rounded(const Matmul<float>& p, const uint32_t* a) {
  return {.m = p.m,
          .n = p.n,
          .k = p.k,
          .a = a,
          .b = static_cast<const NarrowBlocks*>(p.packed_b),
          .c = p.c,
          .ldc = p.ldc,
          .accumulate = p.accumulate,
          .bias = p.bias};
}

NarrowOrder order_of(const Matmul<float>& p) { return narrow_order(Precision::bf16, p.m, p.k); }

void pack_into(const Matmul<float>& p, NarrowBlocks& out) {
  out.lay_out(Precision::bf16, p.n, p.k);
  to_bf16_blocks({.data = p.b, .rows = p.transpose_b ? p.n : p.k, .cols = p.transpose_b ? p.k : p.n, .ld = p.ldb},
                 p.transpose_b, out);
}

// The rows of a transposed a are columns of many rows of floats. A thread rounds as many of them as stay in its L2
// until they are multiplied.
void transposed_product(const Matmul<float>& p) {
  constexpr int64_t kMostRows = 128;
  const int64_t rows = narrow_rows(Precision::bf16, kMostRows);
  parallel_for(p.m, rows, [&](int64_t begin, int64_t end) {
    thread_local std::vector<uint32_t> a;
    Matmul<float> some = p;
    some.m = end - begin, some.a += begin, some.c += begin * p.ldc;
    grow(a, order_of(some).size());
    to_bf16_transposed(stored_a(some), order_of(some), a.data());
    const NarrowProduct product = rounded(some, a.data());
    narrow_product({&product, 1});
  });
}

}  // namespace

std::unique_ptr<Packed> bf16_pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  if (!old) old = std::make_unique<NarrowBlocks>();
  pack_into(p, static_cast<NarrowBlocks&>(*old));
  return old;
}

void bf16_product(const Matmul<float>& p) {
  thread_local NarrowBlocks b;
  Matmul<float> packed = p;
  if (!p.packed_b) pack_into(p, b), packed.packed_b = &b;
  p.transpose_a ? transposed_product(packed) : bf16_sum({&packed, 1});
}

void bf16_sum(std::span<const Matmul<float>> products) {
  thread_local std::vector<uint32_t> words;
  thread_local std::vector<NarrowProduct> all;
  int64_t size = 0;
  for (const Matmul<float>& p : products) size += order_of(p).size();
  grow(words, size);
  uint32_t* a = words.data();
  all.clear();
  for (const Matmul<float>& p : products) {
    to_bf16(stored_a(p), order_of(p), a);
    all.push_back(rounded(p, a));
    a += order_of(p).size();
  }
  narrow_product(all);
}

}  // namespace lookback::kernels::cpu_impl
