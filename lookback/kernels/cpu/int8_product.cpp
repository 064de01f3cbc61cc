#include "lookback/kernels/cpu/int8_product.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/base/rung.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/pages.h"

#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12, about its own intrinsics
#include <immintrin.h>
#define LOOKBACK_VNNI [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]]
#define LOOKBACK_AVX2 [[gnu::target("avx2")]]
#endif

namespace lookback::kernels::cpu_impl {
namespace {

constexpr int64_t kSide = 64;         // columns of a block
constexpr int64_t kFour = 4;          // of k, side by side: a word
constexpr int64_t kMostRows = 6;      // of a tile
constexpr int64_t kLine = 64;         // bytes of a cache line
constexpr int64_t kWorth = 1 << 18;   // bytes that are worth waking the other threads, for each tile of rows
constexpr int64_t kElements = 16384;  // that are worth a thread's turn when they are packed
// So many bytes of few rows only pass through the caches. Memory serves no two threads alike, so they share what there
// is to do as they go.
constexpr int64_t kPassing = 2 << 20;

int64_t ceil_div(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

// Blocks of 64 columns one behind the other; a block: [k / 4, 64, 4], with zeros past the ends.
struct Blocks final : Packed {
  std::unique_ptr<Pages> pages;
  int64_t stride = 0;                 // bytes from block to block
  std::vector<float> scales;          // [n]
  std::vector<int32_t> compensation;  // -128 times the sum of each column, with those of the last block
};

// Rows [n, k] of int8, ld from row to row.
void fill_blocks(const int8_t* rows, int64_t n, int64_t k, int64_t ld, Blocks& out) {
  const int64_t blocks = ceil_div(n, kSide), whole = k / kFour * kFour;
  out.stride = ceil_div(k, kFour) * kFour * kSide;
  out.compensation.assign(static_cast<size_t>(blocks * kSide), 0);
  grow(out.pages, static_cast<size_t>(blocks * out.stride));
  parallel_for(blocks, kElements / out.stride + 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kSide; row < end * kSide; ++row) {
      int8_t* to = out.pages->as<int8_t>() + row / kSide * out.stride + row % kSide * kFour;
      if (row >= n) {
        for (int64_t i = 0; i < k; i += kFour, to += kFour * kSide) std::memset(to, 0, kFour);
        continue;
      }
      const int8_t* const from = rows + row * ld;
      int32_t sum = 0;
      for (int64_t i = 0; i < k; ++i) sum += from[i];
      for (int64_t i = 0; i < whole; i += kFour, to += kFour * kSide) std::memcpy(to, from + i, kFour);
      if (whole < k) {
        std::memset(to, 0, kFour);
        std::memcpy(to, from + whole, static_cast<size_t>(k - whole));
      }
      out.compensation[static_cast<size_t>(row)] = -128 * sum;
    }
  });
}

// A tile: sums[rows, 64] of rows a and one block b. A row of a has `row` words. Meanwhile `lines` lines from `next` on
// are fetched to L2.
struct Tile {
  const int32_t* a;
  int64_t row;
  const int8_t* b;
  const int32_t* compensation;  // of the block
  int32_t* sums;
  const int8_t* next;
  int64_t lines;
};

// How an instruction set computes tiles of up to `rows` rows, with what it wants changed in each word of a.
struct Kernel {
  int64_t rows;
  uint32_t flipped;
  void (*run)(int64_t rows, const Tile& tile);
};

void portable_tile(int64_t rows, const Tile& t) {
  for (int64_t r = 0; r < rows; ++r) {
    int32_t* const sums = t.sums + r * kSide;
    std::fill_n(sums, kSide, 0);
    const auto* a = reinterpret_cast<const int8_t*>(t.a + r * t.row);
    const int8_t* b = t.b;
    for (int64_t k = 0; k < t.row; ++k, a += kFour)
      for (int64_t c = 0; c < kSide; ++c, b += kFour) sums[c] += a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
  }
}
constexpr Kernel kPortable = {1, 0, &portable_tile};

#ifdef LOOKBACK_AVX2

// The tile that has exactly so many rows. It only writes to memory: the compiler keeps all sums in registers if nothing
// else happens around them.
template <template <int> class T, int kRows>
void any_tile(int64_t rows, const Tile& t) {
  if (rows == kRows) return T<kRows>::run(t);
  if constexpr (kRows > 1) any_tile<T, kRows - 1>(rows, t);
}

// vpmaddubsw wants one factor unsigned: the other one takes its sign. Two products of at most 128 * 127 fit into 16
// bits.
template <int kRows>
struct Avx2Tile {
  static constexpr int kVectors = kRows == 1 ? 8 : kRows == 2 ? 4 : 2;  // that the registers hold sums of
  static constexpr int kLanes = 8;
  LOOKBACK_AVX2 static void run(const Tile& t) {
    const __m256i ones = _mm256_set1_epi16(1);
    for (int first = 0; first < kSide; first += kVectors * kLanes) {
      __m256i sum[kRows][kVectors];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm256_setzero_si256();
      const int8_t* b = t.b + first * kFour;
      for (int64_t k = 0; k < t.row; ++k, b += kFour * kSide) {
        if (first == 0 && k < t.lines) __builtin_prefetch(t.next + k * kLine, 0, 2);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          const __m256i column = _mm256_load_si256(reinterpret_cast<const __m256i*>(b) + v);
          const __m256i size = _mm256_abs_epi8(column);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) {
            const __m256i x = _mm256_sign_epi8(_mm256_set1_epi32(t.a[r * t.row + k]), column);
            sum[r][v] = _mm256_add_epi32(sum[r][v], _mm256_madd_epi16(_mm256_maddubs_epi16(size, x), ones));
          }
        }
      }
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          _mm256_store_si256(reinterpret_cast<__m256i*>(t.sums + r * kSide + first) + v, sum[r][v]);
    }
  }
};
constexpr Kernel kAvx2 = {4, 0, &any_tile<Avx2Tile, 4>};

// vpdpbusd wants one factor unsigned: words of a are 128 above what they stand for, and the compensation takes that
// away.
template <int kRows>
struct VnniTile {
  static constexpr int kLanes = 16, kVectors = kSide / kLanes;
  LOOKBACK_VNNI static void run(const Tile& t) {
    __m512i sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_loadu_si512(t.compensation + v * kLanes);
    const int8_t* b = t.b;
    for (int64_t k = 0; k < t.row; ++k, b += kFour * kSide) {
      if (k < t.lines) __builtin_prefetch(t.next + k * kLine, 0, 2);
      __m512i column[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) column[v] = _mm512_load_si512(b + kFour * v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512i x = _mm512_set1_epi32(t.a[r * t.row + k]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], x, column[v]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) _mm512_store_si512(t.sums + r * kSide + v * kLanes, sum[r][v]);
  }
};
constexpr Kernel kVnni = {kMostRows, 0x80808080u, &any_tile<VnniTile, kMostRows>};

const Kernel& kernel() { return rung() >= Rung::avx512_vnni ? kVnni : rung() >= Rung::avx2 ? kAvx2 : kPortable; }

#else

const Kernel& kernel() { return kPortable; }

#endif

int64_t words_of_row(const Int8Product& p) { return ceil_div(p.k, kFour); }

const Blocks& blocks_of(const Int8Product& p) { return static_cast<const Blocks&>(*p.b); }

// Sums of a tile of rows from `first` on become part of c.
void finish(const Int8Product& p, const int32_t* sums, int64_t first, int64_t rows, int64_t block) {
  const int64_t column = block * kSide, columns = std::min(kSide, p.n - column);
  if (p.sums) {
    for (int64_t r = 0; r < rows; ++r) std::copy_n(sums + r * kSide, columns, p.sums + (first + r) * p.n + column);
    return;
  }
  from_int8({.sums = sums,
             .m = rows,
             .n = columns,
             .ld = kSide,
             .a_scales = p.a_scales + first,
             .b_scales = blocks_of(p).scales.data() + column,
             .bias = p.bias ? p.bias + column : nullptr},
            p.c + first * p.ldc + column, p.ldc, p.accumulate);
}

// The rows of all products as words, one behind the other.
const int32_t* words_of(std::span<const Int8Product> products, uint32_t flipped) {
  thread_local std::vector<int32_t> words;
  int64_t size = 0;
  for (const Int8Product& p : products) size += p.m * words_of_row(p);
  words.assign(static_cast<size_t>(size), 0);
  int32_t* to = words.data();
  for (const Int8Product& p : products)
    for (int64_t row = 0; row < p.m; ++row, to += words_of_row(p))
      std::memcpy(to, p.a + row * p.k, static_cast<size_t>(p.k));
  for (int32_t& word : words) word = static_cast<int32_t>(static_cast<uint32_t>(word) ^ flipped);
  return words.data();
}

}  // namespace

std::unique_ptr<Packed> int8_pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  if (!old) {
    old = std::make_unique<Blocks>();
    old->precision = Precision::int8;
  }
  auto& out = static_cast<Blocks&>(*old);
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

const float* int8_scales(const Packed& b) { return static_cast<const Blocks&>(b).scales.data(); }

void int8_product(std::span<const Int8Product> products) {
  const Kernel& kernel = cpu_impl::kernel();
  const int64_t m = products[0].m, n = products[0].n;
  const int64_t blocks = ceil_div(n, kSide), tiles = ceil_div(m, kernel.rows);
  int64_t work = 0;
  for (const Int8Product& p : products) work += blocks * blocks_of(p).stride * tiles;
  const int32_t* const all = words_of(products, kernel.flipped);
  const auto compute = [&](int64_t block, int64_t after) {
    alignas(64) int32_t sums[kMostRows * kSide];
    const int32_t* a = all;
    for (const Int8Product& p : products) {
      const Blocks& b = blocks_of(p);
      const int8_t* const data = b.pages->as<int8_t>();
      const int64_t row = words_of_row(p), lines_of_tile = ceil_div(b.stride / kLine, tiles);
      Tile tile{.row = row,
                .b = data + block * b.stride,
                .compensation = b.compensation.data() + block * kSide,
                .sums = sums,
                .next = data + after * b.stride};
      int64_t lines = after < blocks ? b.stride / kLine : 0;
      for (int64_t first = 0; first < m; first += kernel.rows) {
        const int64_t rows = std::min(kernel.rows, m - first);
        tile.a = a + first * row, tile.lines = std::min(lines, lines_of_tile);
        kernel.run(rows, tile);
        finish(p, sums, first, rows, block);
        tile.next += tile.lines * kLine, lines -= tile.lines;
      }
      a += m * row;
    }
  };
  if (tiles > 1 || work < kPassing) {  // a thread's blocks lie one behind the other, perhaps still in its cache
    parallel_for(blocks, work < kWorth ? blocks : 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) compute(block, block + 1);
    });
    return;
  }
  std::atomic<int64_t> taken = 0;
  parallel_for(std::min<int64_t>(blocks, thread_count()), 1, [&](int64_t, int64_t) {
    for (int64_t block = taken++, after; block < blocks; block = after) after = taken++, compute(block, after);
  });
}

}  // namespace lookback::kernels::cpu_impl
