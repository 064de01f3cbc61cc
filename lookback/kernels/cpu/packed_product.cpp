#include "lookback/kernels/cpu/packed_product.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "lookback/base/parallel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12, about its own intrinsics
#include <immintrin.h>
#define LOOKBACK_AVX512 [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]]
#endif

namespace lookback::kernels::cpu_impl {

#ifdef LOOKBACK_AVX512
namespace {

constexpr int64_t kMostRows = 6;  // that the registers hold sums of
constexpr int64_t kSide = onednn::Blocks::kColumns, kLanes = 16, kVectors = kSide / kLanes;
constexpr int64_t kWorth = 1 << 18;  // bytes that are worth waking the other threads

// What the innermost loop is made of, a vector at a time: products of floats, one of k in a word; or of bytes, four of
// k in a word. Bytes of a are 128 above what they stand for: the instruction wants them unsigned.
struct Floats {
  using Word = float;
  using Vector = __m512;
  LOOKBACK_AVX512 static Vector zero() { return _mm512_setzero_ps(); }
  LOOKBACK_AVX512 static Vector all(float x) { return _mm512_set1_ps(x); }
  LOOKBACK_AVX512 static Vector load(const float* p) { return _mm512_load_ps(p); }
  LOOKBACK_AVX512 static void store(float* p, Vector v) { _mm512_store_ps(p, v); }
  LOOKBACK_AVX512 static Vector add_product(Vector a, Vector b, Vector sum) { return _mm512_fmadd_ps(a, b, sum); }
};

struct Bytes {
  using Word = int32_t;
  using Vector = __m512i;
  LOOKBACK_AVX512 static Vector zero() { return _mm512_setzero_si512(); }
  LOOKBACK_AVX512 static Vector all(int32_t x) { return _mm512_set1_epi32(x); }
  LOOKBACK_AVX512 static Vector load(const int32_t* p) { return _mm512_load_si512(p); }
  LOOKBACK_AVX512 static void store(int32_t* p, Vector v) { _mm512_store_si512(p, v); }
  LOOKBACK_AVX512 static Vector add_product(Vector a, Vector b, Vector sum) { return _mm512_dpbusd_epi32(sum, a, b); }
};

// sums[kRows, kSide] of rows a, `row` words from one to the next, with `depth` words of one block b. It writes to
// memory and does nothing else, since the compiler keeps all 24 sums in registers only if nothing else happens around
// them.
template <class Kind, int kRows, class Word = typename Kind::Word>
LOOKBACK_AVX512 void tile(const Word* a, int64_t row, const Word* b, int64_t depth, Word* sums) {
  typename Kind::Vector sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = Kind::zero();
  for (int64_t k = 0; k < depth; ++k, b += kSide) {
    typename Kind::Vector column[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) column[v] = Kind::load(b + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const typename Kind::Vector x = Kind::all(a[r * row + k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Kind::add_product(x, column[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) Kind::store(sums + r * kSide + v * kLanes, sum[r][v]);
}

// The words of one block of b.
template <class Word>
const Word* words_of(const PackedProduct& p, int64_t block) {
  return reinterpret_cast<const Word*>(static_cast<const std::byte*>(p.b.data) + block * p.b.stride);
}

// Calls the instance of f for 1 to kMostRows rows.
template <int kRows = 1, class F>
void with_rows(int64_t rows, F&& f) {
  if (rows == kRows) return f.template operator()<kRows>();
  if constexpr (kRows < kMostRows) with_rows<kRows + 1>(rows, f);
}

// Calls f(block) for every block of 64 columns; a thread's lie one behind the other.
template <class F>
void each_block(const PackedProduct& p, F&& f) {
  const int64_t blocks = (p.n + kSide - 1) / kSide, groups = (p.m + kMostRows - 1) / kMostRows;
  parallel_for(blocks, blocks * p.b.stride * groups < kWorth ? blocks : 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) f(block);
  });
}

// Of vector v of a block: which of its lanes are columns.
LOOKBACK_AVX512 __mmask16 lanes_of(const PackedProduct& p, int64_t block, int64_t v) {
  const int64_t left = p.n - block * kSide - v * kLanes;
  return left >= kLanes ? 0xffff : left <= 0 ? 0 : static_cast<__mmask16>((1u << left) - 1);
}

// What stands in a vector of c when its product is `sum`.
LOOKBACK_AVX512 void finish(const PackedProduct& p, __m512 sum, int64_t row, int64_t column, __mmask16 mask) {
  float* const c = p.c + row * p.ldc + column;
  if (p.bias) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, p.bias + column));
  if (p.accumulate) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c));
  _mm512_mask_storeu_ps(c, mask, sum);
}

template <int kRows>
LOOKBACK_AVX512 void float_block(const PackedProduct& p, const float* a, int64_t lda, int64_t block) {
  const auto* const b = words_of<float>(p, block);
  alignas(64) float sums[2][kRows * kSide];
  for (int64_t k = 0; k < p.k; k += onednn::kChain)
    tile<Floats, kRows>(a + k, lda, b + k * kSide, std::min(onednn::kChain, p.k - k), sums[k > 0]);
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t v = 0; v < kVectors; ++v) {
      const int64_t at = r * kSide + v * kLanes;
      __m512 sum = _mm512_load_ps(sums[0] + at);
      if (p.k > onednn::kChain) sum = _mm512_add_ps(sum, _mm512_load_ps(sums[1] + at));
      finish(p, sum, r, block * kSide + v * kLanes, lanes_of(p, block, v));
    }
}

struct Int8Rows {
  const int32_t* words;  // [m, row]
  int64_t row;
  const float *a_scales, *b_scales;
  int32_t* sums;  // where the sums go instead of c, or null
};

template <int kRows>
LOOKBACK_AVX512 void int8_block(const PackedProduct& p, const Int8Rows& a, int64_t first, int64_t block) {
  alignas(64) int32_t sums[kRows * kSide];
  tile<Bytes, kRows>(a.words + first * a.row, a.row, words_of<int32_t>(p, block), a.row, sums);
  for (int64_t v = 0; v < kVectors; ++v) {
    const int64_t column = block * kSide + v * kLanes;
    const __mmask16 mask = lanes_of(p, block, v);
    const __m512i compensation = _mm512_maskz_loadu_epi32(mask, p.b.compensation + column);
    const __m512 b_scale = a.sums ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, a.b_scales + column);
    for (int64_t r = 0; r < kRows; ++r) {
      const __m512i sum = _mm512_add_epi32(_mm512_load_si512(sums + r * kSide + v * kLanes), compensation);
      if (a.sums) {
        _mm512_mask_storeu_epi32(a.sums + (first + r) * p.n + column, mask, sum);
      } else {
        const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(a.a_scales[first + r]), b_scale);
        finish(p, _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale), first + r, column, mask);
      }
    }
  }
}

bool int8(const PackedProduct& p, const int8_t* a, const float* a_scales, const float* b_scales, int32_t* sums) {
  if (!p.b.data || !onednn::has_vnni() || (p.m > kMostRows && onednn::has_tiles())) return false;
  thread_local std::vector<int32_t> words;
  const int64_t row = (p.k + 3) / 4;
  words.assign(static_cast<size_t>(p.m * row), 0);
  for (int64_t m = 0; m < p.m; ++m) std::memcpy(words.data() + m * row, a + m * p.k, static_cast<size_t>(p.k));
  for (int32_t& word : words) word = static_cast<int32_t>(static_cast<uint32_t>(word) ^ 0x80808080u);
  const Int8Rows rows{words.data(), row, a_scales, b_scales, sums};
  each_block(p, [&](int64_t block) {
    for (int64_t first = 0; first < p.m; first += kMostRows)
      with_rows(std::min(kMostRows, p.m - first), [&]<int kRows>() { int8_block<kRows>(p, rows, first, block); });
  });
  return true;
}

}  // namespace

bool packed_product(const PackedProduct& p, const float* a, int64_t lda) {
  if (p.m > kMostRows || !p.b.data || p.k > onednn::kKnownDepth || !onednn::is_exact()) return false;
  with_rows(p.m, [&]<int kRows>() { each_block(p, [&](int64_t block) { float_block<kRows>(p, a, lda, block); }); });
  return true;
}

bool packed_product_int8(const PackedProduct& p, const int8_t* a, const float* a_scales, const float* b_scales) {
  return int8(p, a, a_scales, b_scales, nullptr);
}

bool packed_sums_int8(const PackedProduct& p, const int8_t* a, int32_t* sums) {
  return int8(p, a, nullptr, nullptr, sums);
}

#else

bool packed_product(const PackedProduct&, const float*, int64_t) { return false; }
bool packed_product_int8(const PackedProduct&, const int8_t*, const float*, const float*) { return false; }
bool packed_sums_int8(const PackedProduct&, const int8_t*, int32_t*) { return false; }

#endif

}  // namespace lookback::kernels::cpu_impl
