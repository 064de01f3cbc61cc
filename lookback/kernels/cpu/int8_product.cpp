#include "lookback/kernels/cpu/int8_product.h"

#include <cstring>
#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/narrow_kernels.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels::cpu_impl {
namespace {

constexpr int64_t kElements = 16384;  // that are worth a thread's turn

// Rows [n, k] of int8, ld from row to row.
void fill_blocks(const int8_t* rows, int64_t n, int64_t k, int64_t ld, NarrowBlocks& out) {
  const int64_t blocks = ceil_div(n, kBlock);
  out.lay_out(Precision::int8, n, k);
  out.compensation.assign(static_cast<size_t>(blocks * kBlock), 0);
  parallel_for(blocks, kElements / (out.words * kBlock) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kBlock; row < end * kBlock; ++row) {
      uint32_t* const to = out.block(row / kBlock) + row % kBlock;
      const int64_t there = row < n ? k : 0;
      const int8_t* const from = rows + std::min(row, n - 1) * ld;
      int32_t sum = 0;
      for (int64_t i = 0; i < there; ++i) sum += from[i];
      for (int64_t word = 0; word < there / 4; ++word) std::memcpy(to + word * kBlock, from + 4 * word, 4);
      for (int64_t word = there / 4; word < out.words; ++word) to[word * kBlock] = 0;
      if (there % 4) std::memcpy(to + there / 4 * kBlock, from + there / 4 * 4, static_cast<size_t>(there % 4));
      out.compensation[static_cast<size_t>(row)] = -128 * sum;
    }
  });
}

// The rows of a product in the order that its kernel wants.
void fill_rows(const Int8Product& p, uint32_t flipped, uint32_t* out) {
  const NarrowOrder order = narrow_order(Precision::int8, p.m, p.k);
  for (int64_t row = 0; row < p.m; ++row) {
    uint32_t* to = out + order.start(row);
    for (int64_t k = 0; k < 4 * order.words; k += 4 * kStep, to += order.stride(row)) {
      const int64_t there = std::clamp<int64_t>(p.k - k, 0, 4 * kStep);
      std::memcpy(to, p.a + row * p.k + k, static_cast<size_t>(there));
      std::memset(reinterpret_cast<char*>(to) + there, 0, static_cast<size_t>(4 * kStep - there));
      for (int64_t i = 0; i < kStep; ++i) to[i] ^= flipped;
    }
  }
}

}  // namespace

std::unique_ptr<Packed> int8_pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  if (!old) old = std::make_unique<NarrowBlocks>();
  auto& out = static_cast<NarrowBlocks&>(*old);
  if (p.b_int8) {
    out.scales.assign(p.b_scales, p.b_scales + p.n);
    fill_blocks(p.b_int8, p.n, p.k, p.ldb, out);
    return old;
  }
  std::vector<int8_t> rows(static_cast<size_t>(p.n * p.k));
  out.scales.resize(static_cast<size_t>(p.n));
  to_int8({.data = p.b, .rows = p.n, .cols = p.k, .ld = p.ldb}, rows.data(), out.scales.data());
  fill_blocks(rows.data(), p.n, p.k, p.k, out);
  return old;
}

const float* int8_scales(const Packed& b) { return static_cast<const NarrowBlocks&>(b).scales.data(); }

void int8_product(std::span<const Int8Product> products) {
  thread_local std::vector<uint32_t> words;
  thread_local std::vector<NarrowProduct> all;
  const uint32_t flipped = narrow_kernel(Precision::int8).flipped;
  int64_t size = 0;
  for (const Int8Product& p : products) size += narrow_order(Precision::int8, p.m, p.k).size();
  grow(words, size);
  uint32_t* a = words.data();
  all.clear();
  for (const Int8Product& p : products) {
    fill_rows(p, flipped, a);
    all.push_back({.m = p.m,
                   .n = p.n,
                   .k = p.k,
                   .a = a,
                   .b = static_cast<const NarrowBlocks*>(p.b),
                   .c = p.c,
                   .ldc = p.ldc,
                   .accumulate = p.accumulate,
                   .bias = p.bias,
                   .a_scales = p.a_scales,
                   .sums = p.sums});
    a += narrow_order(Precision::int8, p.m, p.k).size();
  }
  narrow_product(all);
}

}  // namespace lookback::kernels::cpu_impl
