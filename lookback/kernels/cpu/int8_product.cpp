#include "lookback/kernels/cpu/int8_product.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "lookback/base/parallel.h"

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

// sums[kRows, kSide] of rows a and one block b. A word of a, of which a row has `row`, is four of k, 128 above what
// they stand for: the instruction wants them unsigned, and the blocks' compensation takes that away again. It only
// writes to memory: the compiler keeps all sums in registers if nothing else happens around them. Meanwhile `lines`
// lines from `next` on are fetched to the second cache.
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

bool int8_product(const Int8Product& p) {
  if (!p.b.data || !onednn::has_vnni() || (p.m > kMostRows && onednn::has_tiles())) return false;
  thread_local std::vector<int32_t> words;
  const int64_t row = (p.k + 3) / 4;
  words.assign(static_cast<size_t>(p.m * row), 0);
  for (int64_t m = 0; m < p.m; ++m) std::memcpy(words.data() + m * row, p.a + m * p.k, static_cast<size_t>(p.k));
  for (int32_t& word : words) word = static_cast<int32_t>(static_cast<uint32_t>(word) ^ 0x80808080u);

  const int64_t blocks = (p.n + kSide - 1) / kSide, tiles = (p.m + kMostRows - 1) / kMostRows;
  const int64_t lines_of_tile = (p.b.stride / kLine + tiles - 1) / tiles;
  const int32_t* const a = words.data();
  // A thread's blocks lie one behind the other.
  parallel_for(blocks, blocks * p.b.stride * tiles < kWorth ? blocks : 1, [&](int64_t begin, int64_t end) {
    alignas(64) int32_t sums[kMostRows * kSide];
    for (int64_t block = begin; block < end; ++block) {
      const int8_t* const b = p.b.data + block * p.b.stride;
      const int8_t* next = b + p.b.stride;
      int64_t lines = block + 1 < blocks ? p.b.stride / kLine : 0;
      for (int64_t first = 0; first < p.m; first += kMostRows) {
        const int64_t rows = std::min(kMostRows, p.m - first), some = std::min(lines, lines_of_tile);
        any_tile(rows, a + first * row, row, b, sums, next, some);
        finish(p, sums, first, rows, block);
        next += some * kLine, lines -= some;
      }
    }
  });
  return true;
}

#else

bool int8_product(const Int8Product&) { return false; }

#endif

}  // namespace lookback::kernels::cpu_impl
