#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/top_k.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/gemm.h"
#include "lookback/kernels/cpu/simd-inl.h"
#include "lookback/kernels/cpu/top_k.h"

#ifndef LOOKBACK_LARGEST_ROW_
#define LOOKBACK_LARGEST_ROW_
namespace lookback::kernels {

// What bounds the sums of one row x with all n rows w.
struct LargestRow {
  int64_t n;
  const int32_t* sums;      // [n] p.q
  const float* scales;      // [n] s
  const float* bias;        // [n]
  const float* left_out;    // [n] |e|
  const float* norms;       // [n] |w|
  float scale;              // t
  float rounded;            // |t p|
  float of_norms;           // |d| + g |x|
  int64_t count, capacity;  // as in TopK
};

// Of a row x = scale q + rest: |x|, |scale q| and |rest|.
struct RowNorms {
  float whole, rounded, left_out;
};

constexpr int64_t kTopKGroups = 64;  // the largest lower bound of each is looked at

}  // namespace lookback::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

// The `count`-th largest of maxima; not larger than the count-th largest of all that they are the maxima of.
float NthLargest(const float* maxima, int64_t count) {
  float best[kTopKGroups];
  std::fill_n(best, count, -std::numeric_limits<float>::infinity());
  for (int64_t g = 0; g < kTopKGroups; ++g) {
    if (!(maxima[g] > best[count - 1])) continue;
    int64_t at = count - 1;
    for (; at > 0 && best[at - 1] < maxima[g]; --at) best[at] = best[at - 1];
    best[at] = maxima[g];
  }
  return best[count - 1];
}

// Columns that may be among the largest, ascending; -1 if they are more than a.capacity. upper: [n] scratch.
int64_t LargestColumns(const LargestRow& a, float* HWY_RESTRICT upper, int32_t* HWY_RESTRICT columns) {
  const D d;
  const hn::RebindToSigned<D> di;
  const int64_t L = lanes();
  HWY_ALIGN float maxima[kTopKGroups];
  std::fill_n(maxima, kTopKGroups, -std::numeric_limits<float>::infinity());
  const V scale = hn::Set(d, a.scale), of_left_out = hn::Set(d, 1.001f * a.rounded),
          of_norms = hn::Set(d, 1.001f * a.of_norms), least = hn::Set(d, 1e-30f);
  // 16 units in the last place of each, for the roundings of the sum, of its scale and bias, and of these bounds.
  const V roundings = hn::Set(d, 0x1p-20f);
  const auto bounds = [&](hn::Vec<decltype(di)> sum, V s, V bias, V left_out, V norm, float* group) {
    const V middle = hn::Add(hn::Mul(hn::ConvertTo(d, sum), hn::Mul(scale, s)), bias);
    V away = hn::MulAdd(roundings, hn::Add(hn::Abs(middle), hn::Abs(bias)), least);
    away = hn::MulAdd(of_left_out, left_out, away);
    away = hn::MulAdd(of_norms, norm, away);
    hn::Store(hn::Max(hn::Load(d, group), hn::Sub(middle, away)), d, group);
    return hn::Add(middle, away);
  };
  const int64_t whole = a.n / kTopKGroups * kTopKGroups;
  for (int64_t block = 0; block < whole; block += kTopKGroups)
    for (int64_t g = 0; g < kTopKGroups; g += L) {
      const int64_t v = block + g;
      hn::StoreU(bounds(hn::LoadU(di, a.sums + v), hn::LoadU(d, a.scales + v), hn::LoadU(d, a.bias + v),
                        hn::LoadU(d, a.left_out + v), hn::LoadU(d, a.norms + v), maxima + g),
                 d, upper + v);
    }
  for (int64_t v = whole; v < a.n; ++v) {
    HWY_ALIGN int32_t sum[HWY_MAX_BYTES / sizeof(int32_t)] = {a.sums[v]};
    HWY_ALIGN float group[HWY_MAX_BYTES / sizeof(float)];
    std::fill_n(group, L, -std::numeric_limits<float>::infinity());
    const V up = bounds(hn::Load(di, sum), hn::Set(d, a.scales[v]), hn::Set(d, a.bias[v]), hn::Set(d, a.left_out[v]),
                        hn::Set(d, a.norms[v]), group);
    upper[v] = hn::GetLane(up);
    float& mine = maxima[v - whole];
    mine = group[0] > mine ? group[0] : mine;
  }
  // What is no number is kept too, so that its reader finds it.
  const float enough = NthLargest(maxima, a.count);
  const V from = hn::Set(d, enough);
  int64_t kept = 0;
  for (int64_t v = 0; v < a.n; v += L) {
    if (v + L <= a.n && hn::AllTrue(d, hn::Lt(hn::LoadU(d, upper + v), from))) continue;
    for (int64_t u = v; u < std::min(v + L, a.n); ++u) {
      if (upper[u] < enough) continue;
      if (kept == a.capacity) return -1;
      columns[kept++] = static_cast<int32_t>(u);
    }
  }
  return kept;
}

// Each is off by much less than the thousandth that LargestColumns adds. Sums of squares are taken in units of the
// scale, so that nothing over- or underflows.
RowNorms NormsOfRow(const float* HWY_RESTRICT x, const int8_t* HWY_RESTRICT q, float scale, int64_t k) {
  const D d;
  const hn::Rebind<int8_t, D> narrow;
  const hn::RebindToSigned<D> di;
  if (scale == 0) {  // no element is larger than this; see int8_scale
    const float most = 1e-30f * std::sqrt(static_cast<float>(k));
    return {.whole = most, .rounded = 0, .left_out = most};
  }
  const V s = hn::Set(d, scale), inverse = hn::Set(d, 1 / scale);
  V whole = hn::Zero(d), kept = whole, rest = whole;
  const auto add = [&](V v, hn::Vec<decltype(narrow)> rounded) {
    const V r = hn::ConvertTo(d, hn::PromoteTo(di, rounded)), e = hn::Mul(hn::NegMulAdd(s, r, v), inverse);
    v = hn::Mul(v, inverse);
    whole = hn::MulAdd(v, v, whole);
    kept = hn::MulAdd(r, r, kept);
    rest = hn::MulAdd(e, e, rest);
  };
  int64_t i = 0;
  for (; i + lanes() <= k; i += lanes()) add(hn::LoadU(d, x + i), hn::LoadU(narrow, q + i));
  if (i < k) {
    HWY_ALIGN int8_t tail[HWY_MAX_BYTES] = {};
    std::copy_n(q + i, k - i, tail);
    add(load(x + i, k - i), hn::Load(narrow, tail));
  }
  const auto norm = [&](V squares) { return scale * std::sqrt(hn::GetLane(hn::SumOfLanes(d, squares))); };
  return {.whole = norm(whole), .rounded = norm(kept), .left_out = norm(rest)};
}

// a.values of a.columns of one row, by the chain of sums of gemm. False without fused multiply-add.
bool TopKValues([[maybe_unused]] const TopK<float>& a, [[maybe_unused]] int64_t row) {
#if HWY_TARGET > HWY_AVX2
  return false;
#else
  constexpr int64_t kTogether = 8;
  const float* HWY_RESTRICT x = a.a + row * a.k;
  const int32_t* columns = a.columns + row * a.capacity;
  float* values = a.values + row * a.capacity;
  for (int64_t first = 0; first < a.kept[row]; first += kTogether) {
    const int64_t some = std::min(kTogether, a.kept[row] - first);
    const float* w[kTogether];
    for (int64_t c = 0; c < kTogether; ++c) w[c] = a.b + columns[first + std::min(c, some - 1)] * a.ldb;
    for (int64_t k = 0; k < a.k; k += cpu_impl::kGemmKC) {
      float sum[kTogether] = {};
      for (int64_t i = k; i < std::min(a.k, k + cpu_impl::kGemmKC); ++i)
        for (int64_t c = 0; c < kTogether; ++c) sum[c] = __builtin_fmaf(x[i], w[c][i], sum[c]);
      for (int64_t c = 0; c < some; ++c)
        if (k > 0)
          values[first + c] += sum[c];
        else
          values[first + c] = a.bias ? sum[c] + a.bias[columns[first + c]] : sum[c];
    }
  }
  return true;
#endif
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <atomic>
#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/int8_product.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels {
HWY_EXPORT(LargestColumns);
HWY_EXPORT(NormsOfRow);
HWY_EXPORT(TopKValues);

namespace cpu_impl {
namespace {

struct Sketch final : Packed {
  std::unique_ptr<Packed> int8;
  std::vector<float> norms, left_out;  // of every row
  float largest_norm = 0;
};

constexpr int64_t kFewest = 1024;  // rows of a weight for which it pays

}  // namespace

std::unique_ptr<Packed> sketch(const Matmul<float>& p) {
  if (!has_fast_products(Precision::int8) || p.n < kFewest) return nullptr;
  auto out = std::make_unique<Sketch>();
  std::vector<int8_t> q(static_cast<size_t>(p.n * p.k));
  std::vector<float> scales(static_cast<size_t>(p.n));
  to_int8({.data = p.b, .rows = p.n, .cols = p.k, .ld = p.ldb}, q.data(), scales.data());
  out->norms.resize(scales.size()), out->left_out.resize(scales.size());
  const auto norms_of = &LOOKBACK_BEST(NormsOfRow);
  parallel_for(p.n, 256, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const auto at = static_cast<size_t>(n);
      const RowNorms norms = norms_of(p.b + n * p.ldb, q.data() + n * p.k, scales[at], p.k);
      out->norms[at] = norms.whole, out->left_out[at] = norms.left_out;
    }
  });
  for (const float norm : out->norms)
    if (norm > out->largest_norm) out->largest_norm = norm;
  Matmul<float> whole = p;
  whole.b_int8 = q.data(), whole.b_scales = scales.data(), whole.ldb = p.k;
  out->int8 = int8_pack(whole, nullptr);
  return out;
}

bool top_k(const TopK<float>& p) {
  const auto& sketch = static_cast<const Sketch&>(*p.sketch);
  if (p.count < 1 || p.count > kTopKGroups) return false;
  thread_local std::vector<int8_t> q;
  thread_local std::vector<float> scales, none;
  thread_local std::vector<int32_t> sums;
  grow(q, p.m * p.k), grow(scales, p.m), grow(sums, p.m * p.n);
  if (!p.bias) none.assign(static_cast<size_t>(p.n), 0);
  to_int8({.data = p.a, .rows = p.m, .cols = p.k, .ld = p.k}, q.data(), scales.data());
  const Int8Product product{.m = p.m, .n = p.n, .k = p.k, .a = q.data(), .b = sketch.int8.get(), .sums = sums.data()};
  int8_product({&product, 1});
  std::atomic<bool> good = true;
  const auto find = &LOOKBACK_BEST(LargestColumns);
  const auto compute = &LOOKBACK_BEST(TopKValues);
  const auto norms_of = &LOOKBACK_BEST(NormsOfRow);
  const float *b_scales = int8_scales(*sketch.int8), *bias = p.bias ? p.bias : none.data();
  const int8_t* const rounded = q.data();
  const float* const a_scales = scales.data();
  const int32_t* const all_sums = sums.data();
  parallel_for(p.m, 4, [&](int64_t begin, int64_t end) {
    thread_local std::vector<float> upper;
    grow(upper, p.n);
    for (int64_t row = begin; row < end; ++row) {
      const RowNorms norms = norms_of(p.a + row * p.k, rounded + row * p.k, a_scales[row], p.k);
      const bool bounded = norms.whole * sketch.largest_norm < 1e30f;  // else sums in f32 may pass the largest float
      const float g = static_cast<float>(p.k + 8) * 0x1p-24f;
      p.kept[row] = bounded ? find({.n = p.n,
                                    .sums = all_sums + row * p.n,
                                    .scales = b_scales,
                                    .bias = bias,
                                    .left_out = sketch.left_out.data(),
                                    .norms = sketch.norms.data(),
                                    .scale = a_scales[row],
                                    .rounded = norms.rounded,
                                    .of_norms = norms.left_out + g * norms.whole,
                                    .count = p.count,
                                    .capacity = p.capacity},
                                   upper.data(), p.columns + row * p.capacity)
                            : -1;
      if (p.kept[row] < 0 || !compute(p, row)) good = false;
    }
  });
  return good;
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE
