#include "lookback/kernels/cpu/int8_product.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/base/rung.h"

#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12, about its own intrinsics
#include <immintrin.h>
#define LOOKBACK_VNNI [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]]
#endif

namespace lookback::kernels::cpu_impl {

#ifdef LOOKBACK_VNNI
namespace {

constexpr int64_t kMostRows = 6;  // that the registers hold sums of
constexpr int64_t kSide = onednn::Blocks::kColumns, kLanes = 16, kVectors = kSide / kLanes;
constexpr int64_t kLine = 64;        // bytes of a cache line
constexpr int64_t kWorth = 1 << 18;  // bytes that are worth waking the other threads, for each tile of rows
// So many bytes of few rows only pass through the caches. Memory serves no two threads alike, so they share what there
// is to do as they go.
constexpr int64_t kPassing = 2 << 20;

// sums[kRows, kSide] of rows a and one block b. A word of a, of which a row has `row`, is four of k, 128 above what
// they stand for: the instruction wants them unsigned, and the blocks' compensation takes that away again. It only
// writes to memory: the compiler keeps all sums in registers if nothing else happens around them. Meanwhile `lines`
// lines from `next` on are fetched to L2.
template <int kRows>
LOOKBACK_VNNI void tile(const int32_t* a, int64_t row, const int8_t* b, int32_t* sums, const int8_t* next,
                        int64_t lines) {
  __m512i sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_setzero_si512();
  for (int64_t k = 0; k < row; ++k, b += 4 * kSide) {
    if (k < lines) __builtin_prefetch(next + k * kLine, 0, 2);
    __m512i column[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) column[v] = _mm512_load_si512(b + 4 * v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m512i x = _mm512_set1_epi32(a[r * row + k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], x, column[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) _mm512_store_si512(sums + r * kSide + v * kLanes, sum[r][v]);
}

template <int kRows = kMostRows>
void any_tile(int64_t rows, const int32_t* a, int64_t row, const int8_t* b, int32_t* sums, const int8_t* next,
              int64_t lines) {
  if (rows == kRows) return tile<kRows>(a, row, b, sums, next, lines);
  if constexpr (kRows > 1) any_tile<kRows - 1>(rows, a, row, b, sums, next, lines);
}

int64_t words_of_row(const Int8Product& p) { return (p.k + 3) / 4; }

// Sums of a tile of rows from `first` on become part of c.
LOOKBACK_VNNI void finish(const Int8Product& p, const int32_t* sums, int64_t first, int64_t rows, int64_t block) {
  for (int64_t v = 0; v < kVectors; ++v) {
    const int64_t column = block * kSide + v * kLanes, left = p.n - column;
    if (left <= 0) return;
    const auto mask = static_cast<__mmask16>(left >= kLanes ? 0xffff : (1 << left) - 1);
    const __m512i compensation = _mm512_maskz_loadu_epi32(mask, p.b.compensation + column);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t row = first + r;
      const __m512i sum = _mm512_add_epi32(_mm512_load_si512(sums + r * kSide + v * kLanes), compensation);
      if (p.sums) {
        _mm512_mask_storeu_epi32(p.sums + row * p.n + column, mask, sum);
        continue;
      }
      float* const c = p.c + row * p.ldc + column;
      const __m512 scale =
          _mm512_mul_ps(_mm512_set1_ps(p.a_scales[row]), _mm512_maskz_loadu_ps(mask, p.b_scales + column));
      __m512 out = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
      if (p.bias) out = _mm512_add_ps(out, _mm512_maskz_loadu_ps(mask, p.bias + column));
      if (p.accumulate) out = _mm512_add_ps(out, _mm512_maskz_loadu_ps(mask, c));
      _mm512_mask_storeu_ps(c, mask, out);
    }
  }
}

}  // namespace

bool has_int8_product(const onednn::Blocks& b) { return b.data && rung() >= Rung::avx512_vnni; }

void int8_product(std::span<const Int8Product> products) {
  const int64_t m = products[0].m, n = products[0].n;
  const int64_t blocks = (n + kSide - 1) / kSide, tiles = (m + kMostRows - 1) / kMostRows;
  int64_t size = 0, work = 0;
  for (const Int8Product& p : products) size += m * words_of_row(p), work += blocks * p.b.stride * tiles;
  thread_local std::vector<int32_t> words;
  words.assign(static_cast<size_t>(size), 0);
  int32_t* to = words.data();
  for (const Int8Product& p : products)
    for (int64_t row = 0; row < m; ++row, to += words_of_row(p))
      std::memcpy(to, p.a + row * p.k, static_cast<size_t>(p.k));
  for (int32_t& word : words) word = static_cast<int32_t>(static_cast<uint32_t>(word) ^ 0x80808080u);

  const int32_t* const all = words.data();
  const auto compute = [&](int64_t block, int64_t after) {
    alignas(64) int32_t sums[kMostRows * kSide];
    const int32_t* a = all;
    for (const Int8Product& p : products) {
      const int64_t row = words_of_row(p), lines_of_tile = (p.b.stride / kLine + tiles - 1) / tiles;
      const int8_t *const b = p.b.data + block * p.b.stride, *next = p.b.data + after * p.b.stride;
      int64_t lines = after < blocks ? p.b.stride / kLine : 0;
      for (int64_t first = 0; first < m; first += kMostRows) {
        const int64_t rows = std::min(kMostRows, m - first), some = std::min(lines, lines_of_tile);
        any_tile(rows, a + first * row, row, b, sums, next, some);
        finish(p, sums, first, rows, block);
        next += some * kLine, lines -= some;
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

#else

bool has_int8_product(const onednn::Blocks&) { return false; }
void int8_product(std::span<const Int8Product>) {}

#endif

}  // namespace lookback::kernels::cpu_impl
