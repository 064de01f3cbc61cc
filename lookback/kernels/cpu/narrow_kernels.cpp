#include "lookback/kernels/cpu/narrow_kernels.h"

#include <bit>

#include "lookback/base/rung.h"

#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12, about its own intrinsics
#include <immintrin.h>
// For int8 and bf16 alike: what each of them runs is in its intrinsics, and a processor needs that alone.
#define LOOKBACK_AVX512 [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")]]
#define LOOKBACK_AVX2 [[gnu::target("avx2")]]
#endif

namespace lookback::kernels::cpu_impl {
namespace {

float lower_of(uint32_t word) { return std::bit_cast<float>(word << 16); }
float upper_of(uint32_t word) { return std::bit_cast<float>(word & 0xFFFF0000u); }

void plain_int8_tile(int64_t rows, const NarrowTile& t) {
  for (int64_t r = 0; r < rows; ++r) {
    auto* const sums = static_cast<int32_t*>(t.sums) + r * kBlock;
    std::fill_n(sums, kBlock, 0);
    const auto* a = reinterpret_cast<const int8_t*>(t.a + r * t.row);
    const auto* b = reinterpret_cast<const int8_t*>(t.b);
    for (int64_t k = 0; k < t.words; ++k, a += 4)
      for (int64_t c = 0; c < kBlock; ++c, b += 4) sums[c] += a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
  }
}
constexpr NarrowKernel kPlainInt8 = {.rows = 1, .group = 1, .flipped = 0, .run = &plain_int8_tile};

void plain_bf16_tile(int64_t rows, const NarrowTile& t) {
  for (int64_t r = 0; r < rows; ++r) {
    auto* const sums = static_cast<float*>(t.sums) + r * kBlock;
    std::fill_n(sums, kBlock, 0.0f);
    const uint32_t *a = t.a + r * t.row, *b = t.b;
    for (int64_t k = 0; k < t.words; ++k, b += kBlock)
      for (int64_t c = 0; c < kBlock; ++c) sums[c] += lower_of(a[k]) * lower_of(b[c]) + upper_of(a[k]) * upper_of(b[c]);
  }
}
constexpr NarrowKernel kPlainBf16 = {.rows = 1, .group = 1, .flipped = 0, .run = &plain_bf16_tile};

#ifdef LOOKBACK_AVX2

constexpr int64_t kLine = 16;  // words of a cache line

// The tile that has exactly so many rows. It only writes to memory: the compiler keeps all sums in registers if nothing
// else happens around them.
template <template <int> class T, int kRows>
void any_tile(int64_t rows, const NarrowTile& t) {
  if (rows == kRows) return T<kRows>::run(t);
  if constexpr (kRows > 1) any_tile<T, kRows - 1>(rows, t);
}

// vpmaddubsw wants one factor unsigned: the other one takes its sign. Two products of at most 128 * 127 fit into 16
// bits.
template <int kRows>
struct Avx2Tile {
  static constexpr int kVectors = kRows == 1 ? 8 : kRows == 2 ? 4 : 2;  // that the registers hold sums of
  static constexpr int kLanes = 8;
  LOOKBACK_AVX2 static void run(const NarrowTile& t) {
    const __m256i ones = _mm256_set1_epi16(1);
    for (int first = 0; first < kBlock; first += kVectors * kLanes) {
      __m256i sum[kRows][kVectors];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm256_setzero_si256();
      const uint32_t* b = t.b + first;
      for (int64_t k = 0; k < t.words; ++k, b += kBlock) {
        if (first == 0 && k < t.lines) __builtin_prefetch(t.next + k * kLine, 0, 2);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          const __m256i column = _mm256_load_si256(reinterpret_cast<const __m256i*>(b) + v);
          const __m256i size = _mm256_abs_epi8(column);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) {
            const __m256i x = _mm256_sign_epi8(_mm256_set1_epi32(static_cast<int32_t>(t.a[r * t.row + k])), column);
            sum[r][v] = _mm256_add_epi32(sum[r][v], _mm256_madd_epi16(_mm256_maddubs_epi16(size, x), ones));
          }
        }
      }
      auto* const sums = static_cast<int32_t*>(t.sums) + first;
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          _mm256_store_si256(reinterpret_cast<__m256i*>(sums + r * kBlock) + v, sum[r][v]);
    }
  }
};
constexpr NarrowKernel kAvx2 = {.rows = 4, .group = 1, .flipped = 0, .run = &any_tile<Avx2Tile, 4>};

// vpdpbusd wants one factor unsigned: words of a are 128 above what they stand for, and the compensation takes that
// away.
struct Vnni {
  using Sum = __m512i;
  LOOKBACK_AVX512 static Sum begin(const NarrowTile& t, int64_t c) { return _mm512_loadu_si512(t.compensation + c); }
  LOOKBACK_AVX512 static Sum dot(Sum sum, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(sum, a, b); }
  LOOKBACK_AVX512 static void store(Sum sum, void* sums, int64_t at) {
    _mm512_store_si512(static_cast<int32_t*>(sums) + at, sum);
  }
};

struct Bf16 {
  using Sum = __m512;
  LOOKBACK_AVX512 static Sum begin(const NarrowTile&, int64_t) { return _mm512_setzero_ps(); }
  LOOKBACK_AVX512 static Sum dot(Sum sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
  LOOKBACK_AVX512 static void store(Sum sum, void* sums, int64_t at) {
    _mm512_store_ps(static_cast<float*>(sums) + at, sum);
  }
};

template <class Words, int kRows>
struct Avx512Tile {
  static constexpr int kLanes = 16, kVectors = kBlock / kLanes;
  LOOKBACK_AVX512 static void run(const NarrowTile& t) {
    typename Words::Sum sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Words::begin(t, v * kLanes);
    const uint32_t* b = t.b;
    for (int64_t k = 0; k < t.words; ++k, b += kBlock) {
      if (k < t.lines) __builtin_prefetch(t.next + k * kLine, 0, 2);
      __m512i column[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) column[v] = _mm512_load_si512(b + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512i x = _mm512_set1_epi32(static_cast<int32_t>(t.a[r * t.row + k]));
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[r][v] = Words::dot(sum[r][v], x, column[v]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) Words::store(sum[r][v], t.sums, r * kBlock + v * kLanes);
  }
};
template <int kRows>
using VnniTile = Avx512Tile<Vnni, kRows>;
template <int kRows>
using Bf16Tile = Avx512Tile<Bf16, kRows>;
constexpr NarrowKernel kVnni = {.rows = 6, .group = 1, .flipped = 0x80808080u, .run = &any_tile<VnniTile, 6>};
constexpr NarrowKernel kBf16 = {.rows = 6, .group = 1, .flipped = 0, .run = &any_tile<Bf16Tile, 6>};

const NarrowKernel& int8_kernel() {
  return rung() >= Rung::avx512_vnni ? kVnni : rung() >= Rung::avx2 ? kAvx2 : kPlainInt8;
}
const NarrowKernel& bf16_kernel() { return rung() >= Rung::avx512_bf16 ? kBf16 : kPlainBf16; }

#else

const NarrowKernel& int8_kernel() { return kPlainInt8; }
const NarrowKernel& bf16_kernel() { return kPlainBf16; }

#endif

}  // namespace

const NarrowKernel& narrow_kernel(Precision p) {
  if (tiles() != Tiles::none) return tile_kernel(p, tiles() == Tiles::emulated);
  return p == Precision::int8 ? int8_kernel() : bf16_kernel();
}

}  // namespace lookback::kernels::cpu_impl
