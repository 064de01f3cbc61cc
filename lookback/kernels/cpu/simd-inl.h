// SIMD helpers, compiled once per instruction set (see Highway's foreach_target).
#if defined(LOOKBACK_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOOKBACK_SIMD_INL_H_
#undef LOOKBACK_SIMD_INL_H_
#else
#define LOOKBACK_SIMD_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

// The next lanes at p, of which only the first `left` exist, perhaps none; the rest are zero.
// An element is computed the same way wherever it stands in its row.
HWY_INLINE V load(const float* p, int64_t left) {
  const D d;
  if (left >= lanes()) return hn::LoadU(d, p);
  if (left <= 0) return hn::Zero(d);
#if HWY_TARGET <= HWY_AVX2  // masked lanes are not touched
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(left)), d, p);
#else
  HWY_ALIGN float buffer[HWY_MAX_BYTES / sizeof(float)] = {};
  std::copy_n(p, left, buffer);
  return hn::Load(d, buffer);
#endif
}

HWY_INLINE void store(V v, float* p, int64_t left) {
  const D d;
  if (left >= lanes()) return hn::StoreU(v, d, p);
  if (left <= 0) return;
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(left)), d, p);
#else
  HWY_ALIGN float buffer[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, buffer);
  std::copy_n(buffer, left, p);
#endif
}

// c[n] = sum (+ bias) (+ c), where sum(k, left) gives the next lanes at k, of which `left` exist. One loop for each
// kind, so that none asks in between.
template <class Sum>
HWY_INLINE void finish_sums(const Sum& sum, int64_t n, const float* bias, float* c, bool accumulate) {
  const auto each = [&](const auto& finished) HWY_ATTR {
    int64_t k = 0;
    for (; k + lanes() <= n; k += lanes()) hn::StoreU(finished(k, lanes()), D(), c + k);
    if (k < n) store(finished(k, n - k), c + k, n - k);
  };
  const auto biased = [&](int64_t k, int64_t left) HWY_ATTR { return hn::Add(sum(k, left), load(bias + k, left)); };
  if (bias && accumulate)
    each([&](int64_t k, int64_t left) HWY_ATTR { return hn::Add(biased(k, left), load(c + k, left)); });
  else if (bias)
    each(biased);
  else if (accumulate)
    each([&](int64_t k, int64_t left) HWY_ATTR { return hn::Add(sum(k, left), load(c + k, left)); });
  else
    each(sum);
}

// v in the first `left` lanes, zero in the rest.
HWY_INLINE V first_of(V v, int64_t left) {
  const D d;
  if (left >= lanes()) return v;
  return hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(std::max<int64_t>(0, left))), v);
}

// y where x is a number, else x. The minimum and maximum of x86 turn NaN into a number, and a step that went wrong
// would go unnoticed.
HWY_INLINE V keep_nan(V x, V y) { return hn::IfThenElse(hn::IsNaN(x), x, y); }

// e^x for x <= 88, within 2 units in the last place; 0 below -87.3, where float runs out of normal numbers. Not for
// NaN. By the reduction and the polynomial of Cephes: x = n log 2 + r with |r| <= log(2) / 2.
HWY_INLINE V exp_of_number(V x) {
  const D d;
  const hn::RebindToSigned<D> di;
  const V round = hn::Set(d, 0x1.8p23f);  // adding it leaves the nearest integer in the low bits
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504f), round), n = hn::Sub(shifted, round);
  const V r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x));
  V p = hn::Set(d, 1.9875691500e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
  const V e = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  // Times 2^n, by adding n to the exponent.
  const auto power = hn::ShiftLeft<23>(hn::BitCast(di, shifted));
  const V out = hn::BitCast(d, hn::Add(hn::BitCast(di, e), power));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3f)), out);
}

HWY_INLINE V exp(V x) { return keep_nan(x, exp_of_number(x)); }

// 1 / (1 + exp(-x)); the exponent is clamped so that nothing overflows.
HWY_INLINE V sigmoid(V x) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  const V e = exp_of_number(hn::Min(hn::Neg(x), hn::Set(d, 88.0f)));
  return keep_nan(x, hn::Div(one, hn::Add(one, e)));
}

// tanh |x| = (1 - e) / (1 + e) with e = exp(-2|x|): absolute error below 1e-7.
HWY_INLINE V tanh(V x) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  const V e = exp_of_number(hn::Mul(hn::Set(d, -2.0f), hn::Abs(x)));
  return keep_nan(x, hn::CopySign(hn::Div(hn::Sub(one, e), hn::Add(one, e)), x));
}

// Sixteen partial sums, whatever the width of a vector: element k of a row goes to sum k % 16 and they are added up in
// a fixed order, so that a sum over a row is the same bits on every rung.
constexpr int64_t kWide = 16;
constexpr int kParts = static_cast<int>(kWide / static_cast<int64_t>(hn::MaxLanes(D())));
struct Wide {
  V part[kParts];

  // Written out, as the compiler's own would not be one of this instruction set.
  HWY_INLINE Wide() { HWY_UNROLL(16) for (int p = 0; p < kParts; ++p) part[p] = hn::Zero(D()); }
};

// Calls f(part, at) for each part of the sums, for elements `at` .. of the next sixteen.
template <class F>
HWY_INLINE void each_part(F&& f) {
  HWY_UNROLL(16) for (int p = 0; p < kParts; ++p) f(p, p * static_cast<int64_t>(hn::MaxLanes(D())));
}

// Calls f(part, k, left) for all lanes of elements [begin, n) of a row: those from k on, of which `left`, perhaps none,
// exist, go to that part of the sums.
template <class F>
HWY_INLINE void each_of_row(int64_t begin, int64_t n, F&& f) {
  for (int64_t first = begin; first < n; first += kWide)
    each_part([&](int p, int64_t at) HWY_ATTR { f(p, first + at, n - first - at); });
}

// Sum k and sum k + 8, then + 4: the four that are left, which sum_of adds as (0 + 2) + (1 + 3).
HWY_INLINE void store_four(Wide w, float* x) {
  HWY_UNROLL(4)
  for (int half = kParts / 2; half > 0; half /= 2)
    HWY_UNROLL(8) for (int p = 0; p < half; ++p) w.part[p] = hn::Add(w.part[p], w.part[p + half]);
#if HWY_TARGET <= HWY_AVX3
  const hn::Half<D> d8;
  const hn::Half<decltype(d8)> d4;
  const auto eight = hn::Add(hn::LowerHalf(d8, w.part[0]), hn::UpperHalf(d8, w.part[0]));
  hn::StoreU(hn::Add(hn::LowerHalf(d4, eight), hn::UpperHalf(d4, eight)), d4, x);
#elif HWY_TARGET <= HWY_AVX2
  const hn::Half<D> d4;
  hn::StoreU(hn::Add(hn::LowerHalf(d4, w.part[0]), hn::UpperHalf(d4, w.part[0])), d4, x);
#elif HWY_TARGET == HWY_SCALAR
  x[0] = hn::GetLane(w.part[0]), x[1] = x[2] = x[3] = 0;
#else
  hn::StoreU(w.part[0], D(), x);
#endif
}

// Sum k and sum k + 8, then + 4, + 2, + 1.
HWY_INLINE float sum_of(Wide w) {
  HWY_ALIGN float x[4];
  store_four(w, x);
  return (x[0] + x[2]) + (x[1] + x[3]);
}

// Four times sixteen sums side by side.
HWY_INLINE float dot(const float* a, const float* b, int64_t n) {
  const D d;
  constexpr int kSides = 4;
  Wide sum[kSides];
  int64_t k = 0;
  for (; k + kSides * kWide <= n; k += kSides * kWide) HWY_UNROLL(4)
  for (int s = 0; s < kSides; ++s)
    each_part([&](int p, int64_t at) HWY_ATTR {
      const int64_t i = k + s * kWide + at;
      sum[s].part[p] = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum[s].part[p]);
    });
  each_of_row(k, n, [&](int p, int64_t i, int64_t left) HWY_ATTR {
    sum[0].part[p] = hn::MulAdd(load(a + i, left), load(b + i, left), sum[0].part[p]);
  });
  each_part([&](int p, int64_t) HWY_ATTR {
    sum[0].part[p] = hn::Add(hn::Add(sum[0].part[p], sum[1].part[p]), hn::Add(sum[2].part[p], sum[3].part[p]));
  });
  return sum_of(sum[0]);
}

// y += alpha x
HWY_INLINE void axpy_row(float alpha, const float* x, float* y, int64_t n) {
  const V a = hn::Set(D(), alpha);
  for (int64_t k = 0; k < n; k += lanes()) store(hn::MulAdd(a, load(x + k, n - k), load(y + k, n - k)), y + k, n - k);
}

#if HWY_TARGET != HWY_SCALAR
// Four vectors as rows of squares, 4 x 4 in every 128 bits, each square transposed.
template <class Tag, class Vec>
HWY_INLINE void transpose_squares(Tag d, Vec (&v)[4]) {
  const hn::RepartitionToWide<Tag> pairs;
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, v[0], v[1])),
             low23 = hn::BitCast(pairs, hn::InterleaveLower(d, v[2], v[3])),
             high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, v[0], v[1])),
             high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, v[2], v[3]));
  v[0] = hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23));
  v[1] = hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23));
  v[2] = hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23));
  v[3] = hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23));
}
#endif

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
