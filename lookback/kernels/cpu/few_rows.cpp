#include "lookback/kernels/cpu/few_rows.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "lookback/base/parallel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12, about its own intrinsics
#include <immintrin.h>
#define LOOKBACK_FEW_ROWS [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]]
#endif

namespace lookback::kernels::cpu_impl {

#ifdef LOOKBACK_FEW_ROWS
namespace {

constexpr int64_t kMostRows = 6;  // as many as the registers hold sums of
constexpr int64_t kSide = onednn::Blocks::kColumns, kLanes = 16, kVectors = kSide / kLanes;
constexpr int64_t kWorth = 1 << 18;  // bytes that are worth waking the other threads

LOOKBACK_FEW_ROWS __mmask16 lanes_of(int64_t columns, int64_t v) {
  const int64_t left = columns - v * kLanes;
  return left >= kLanes ? 0xffff : left <= 0 ? 0 : static_cast<__mmask16>((1u << left) - 1);
}

// What stands in a vector of c when its product is `sum`.
LOOKBACK_FEW_ROWS void finish(const FewRows& p, __m512 sum, int64_t row, int64_t column, __mmask16 mask) {
  float* const c = p.c + row * p.ldc + column;
  if (p.bias) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, p.bias + column));
  if (p.accumulate) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c));
  _mm512_mask_storeu_ps(c, mask, sum);
}

// Columns of one block.
template <int kRows>
LOOKBACK_FEW_ROWS void float_block(const FewRows& p, const float* a, int64_t lda, int64_t block) {
  const float* b = reinterpret_cast<const float*>(static_cast<const std::byte*>(p.b.data) + block * p.b.stride);
  __m512 total[kRows][kVectors];
  for (int64_t k = 0; k < p.k; k += onednn::kChain) {
    __m512 sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_setzero_ps();
    const int64_t end = std::min(p.k, k + onednn::kChain);
    for (int64_t i = k; i < end; ++i, b += kSide) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m512 column = _mm512_load_ps(b + v * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) sum[r][v] = _mm512_fmadd_ps(_mm512_set1_ps(a[r * lda + i]), column, sum[r][v]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) total[r][v] = k ? _mm512_add_ps(sum[r][v], total[r][v]) : sum[r][v];
  }
  const int64_t first = block * kSide;
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) finish(p, total[r][v], r, first + v * kLanes, lanes_of(p.n - first, v));
}

// Rows of bytes, four of k in a word, 128 above what they stand for: the instruction wants them unsigned. The blocks'
// compensation takes that away again.
struct Words {
  const int32_t* data;
  int64_t row;  // words of one
};

struct Scales {
  const float *a, *b;
  int32_t* sums;  // where the sums go instead of c, or null
};

template <int kRows>
LOOKBACK_FEW_ROWS void int8_block(const FewRows& p, const Words& a, const Scales& scales, int64_t block) {
  const auto* b = static_cast<const int8_t*>(p.b.data) + block * p.b.stride;
  __m512i sum[kRows][kVectors];
  const int64_t first = block * kSide;
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v)
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      sum[r][v] = _mm512_maskz_loadu_epi32(lanes_of(p.n - first, v), p.b.compensation + first + v * kLanes);
  for (int64_t i = 0; i < a.row; ++i, b += 4 * kSide) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __m512i column = _mm512_load_si512(b + 4 * v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
        sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], _mm512_set1_epi32(a.data[r * a.row + i]), column);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) {
      const int64_t column = first + v * kLanes;
      const __mmask16 mask = lanes_of(p.n - first, v);
      if (scales.sums) {
        _mm512_mask_storeu_epi32(scales.sums + r * p.n + column, mask, sum[r][v]);
        continue;
      }
      const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(scales.a[r]), _mm512_maskz_loadu_ps(mask, scales.b + column));
      finish(p, _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][v]), scale), r, column, mask);
    }
}

// Calls f for every block; a thread's blocks lie one behind the other.
template <class F>
void each_block(const FewRows& p, F&& f) {
  const int64_t blocks = (p.n + kSide - 1) / kSide;
  parallel_for(blocks, blocks * p.b.stride < kWorth ? blocks : 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) f(block);
  });
}

template <int kRows = 1, class F>
void with_rows(int64_t m, F&& f) {
  if (m == kRows) return f.template operator()<kRows>();
  if constexpr (kRows < kMostRows) with_rows<kRows + 1>(m, f);
}

bool int8(const FewRows& p, const int8_t* a, const Scales& scales) {
  if (p.m > kMostRows || !p.b.data || !onednn::has_vnni()) return false;
  thread_local std::vector<int32_t> rows;
  const int64_t row = (p.k + 3) / 4;
  rows.assign(static_cast<size_t>(p.m * row), 0);
  for (int64_t m = 0; m < p.m; ++m) std::memcpy(rows.data() + m * row, a + m * p.k, static_cast<size_t>(p.k));
  for (int32_t& word : rows) word = static_cast<int32_t>(static_cast<uint32_t>(word) ^ 0x80808080u);
  const Words words{rows.data(), row};
  with_rows(p.m,
            [&]<int kRows>() { each_block(p, [&](int64_t block) { int8_block<kRows>(p, words, scales, block); }); });
  return true;
}

}  // namespace

bool few_rows(const FewRows& p, const float* a, int64_t lda) {
  if (p.m > kMostRows || !p.b.data || p.k > onednn::kKnownDepth || !onednn::is_exact()) return false;
  with_rows(p.m, [&]<int kRows>() { each_block(p, [&](int64_t block) { float_block<kRows>(p, a, lda, block); }); });
  return true;
}

bool few_rows_int8(const FewRows& p, const int8_t* a, const float* a_scales, const float* b_scales) {
  return int8(p, a, {a_scales, b_scales, nullptr});
}

bool few_rows_int8_sums(const FewRows& p, const int8_t* a, int32_t* sums) {
  return int8(p, a, {nullptr, nullptr, sums});
}

#else

bool few_rows(const FewRows&, const float*, int64_t) { return false; }
bool few_rows_int8(const FewRows&, const int8_t*, const float*, const float*) { return false; }
bool few_rows_int8_sums(const FewRows&, const int8_t*, int32_t*) { return false; }

#endif

}  // namespace lookback::kernels::cpu_impl
