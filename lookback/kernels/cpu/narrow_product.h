// Products whose factors are narrower than a float: bf16 and int8. Both lie in words of 32 bits, of two bf16 or four
// int8 that follow one another in k, in one layout for all instruction sets. Every element of the result is one chain
// of additions that its row, its column and k alone decide, not m nor threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lookback/base/ceil_div.h"
#include "lookback/kernels/cpu/pages.h"
#include "lookback/kernels/products.h"

namespace lookback::kernels::cpu_impl {

constexpr int64_t kStep = 16;   // words of a step: a cache line, and a row of a tile
constexpr int64_t kBlock = 64;  // columns of a block of the right factor

// Of a row or column of n elements.
constexpr int64_t words_of(Precision p, int64_t n) { return ceil_div(n, p == Precision::int8 ? 4 : 2); }
constexpr int64_t whole_steps(int64_t words) { return ceil_div(words, kStep) * kStep; }

// The right factor: blocks of columns one behind the other. A block: [words, kBlock], zeros past the ends, whole steps.
struct NarrowBlocks final : Packed {
  int64_t words = 0;  // of a column, with the zeros
  std::unique_ptr<Pages> pages;
  std::vector<float> scales;          // of int8: [n]
  std::vector<int32_t> compensation;  // of int8: -128 times the sum of each column, with those of the last block

  // Makes room for n columns of k elements.
  void lay_out(Precision p, int64_t n, int64_t k) {
    precision = p, words = whole_steps(words_of(p, k));
    grow(pages, static_cast<size_t>(ceil_div(n, kBlock) * words * kBlock) * sizeof(uint32_t));
  }
  uint32_t* block(int64_t index) const { return pages->as<uint32_t>() + index * words * kBlock; }
};

// How the rows of a left factor lie: in groups, a group step after step, a step row after row. With groups of one each
// row lies by itself, with more of them what a tile loads is one piece of memory.
struct NarrowOrder {
  int64_t rows, words, group;  // words of a row, whole steps

  // The rows of the group that `row` is in: the last one may have fewer.
  int64_t together(int64_t row) const { return std::min(group, rows - row / group * group); }
  // Where the first step of a row lies, and how far from there the next one is.
  int64_t start(int64_t row) const { return row / group * group * words + row % group * kStep; }
  int64_t stride(int64_t row) const { return together(row) * kStep; }
  int64_t size() const { return rows * words; }
};

// The one that products on the rung in use want.
NarrowOrder narrow_order(Precision p, int64_t rows, int64_t k);
// Rows of a product that suit them: a multiple of those of a tile, at most `most`.
int64_t narrow_rows(Precision p, int64_t most);

// c[m,n] = a[m,k] b[k,n] (+ bias[n]) (+ c); in int8, times a_scales[m] and b's scales[n], as from_int8 gives it, and no
// a is -128. In bf16, sums of kBf16Terms products are made from zero, one after another; to the first one come the bias
// and what was in c, then the other sums.
struct NarrowProduct {
  int64_t m, n, k;
  const uint32_t* a;  // in the order above; of int8, with what the kernel wants flipped
  const NarrowBlocks* b;
  float* c;
  int64_t ldc;
  bool accumulate;
  const float* bias;      // [n] or null
  const float* a_scales;  // of int8: [m]
  int32_t* sums;          // of int8: [m, n], instead of c: the sums alone; or null
};

constexpr int64_t kBf16Terms = 1024;

// Products of one m, n and precision, one after another into the same c.
void narrow_product(std::span<const NarrowProduct> products);

}  // namespace lookback::kernels::cpu_impl
