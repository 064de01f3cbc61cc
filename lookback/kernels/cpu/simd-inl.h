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

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

// The next lanes at p, of which only the first `left` exist; the rest are zero.
// An element is computed the same way wherever it stands in its row.
HWY_INLINE V load(const float* p, int64_t left) {
  const D d;
  if (left >= lanes()) return hn::LoadU(d, p);
  HWY_ALIGN float buffer[HWY_MAX_BYTES / sizeof(float)] = {};
  std::copy_n(p, left, buffer);
  return hn::Load(d, buffer);
}

HWY_INLINE void store(V v, float* p, int64_t left) {
  const D d;
  if (left >= lanes()) return hn::StoreU(v, d, p);
  HWY_ALIGN float buffer[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, buffer);
  std::copy_n(buffer, left, p);
}

// y where x is a number, else x. Highway's Exp and the minimum of x86 turn NaN into
// a number, and a step that went wrong would go unnoticed.
HWY_INLINE V keep_nan(V x, V y) { return hn::IfThenElse(hn::IsNaN(x), x, y); }

HWY_INLINE V exp(V x) { return keep_nan(x, hn::Exp(D(), x)); }

// 1 / (1 + exp(-x)); the exponent is clamped so that nothing overflows.
HWY_INLINE V sigmoid(V x) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  const V e = hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0f)));
  return keep_nan(x, hn::Div(one, hn::Add(one, e)));
}

// tanh |x| = (1 - e) / (1 + e) with e = exp(-2|x|): absolute error below 1e-7.
HWY_INLINE V tanh(V x) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  const V e = hn::Exp(d, hn::Mul(hn::Set(d, -2.0f), hn::Abs(x)));
  return keep_nan(x, hn::CopySign(hn::Div(hn::Sub(one, e), hn::Add(one, e)), x));
}

// Four sums side by side, added up in a fixed order.
HWY_INLINE float dot(const float* a, const float* b, int64_t n) {
  const D d;
  V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  const int64_t L = lanes();
  int64_t k = 0;
  for (; k + 4 * L <= n; k += 4 * L) {
    s0 = hn::MulAdd(hn::LoadU(d, a + k), hn::LoadU(d, b + k), s0);
    s1 = hn::MulAdd(hn::LoadU(d, a + k + L), hn::LoadU(d, b + k + L), s1);
    s2 = hn::MulAdd(hn::LoadU(d, a + k + 2 * L), hn::LoadU(d, b + k + 2 * L), s2);
    s3 = hn::MulAdd(hn::LoadU(d, a + k + 3 * L), hn::LoadU(d, b + k + 3 * L), s3);
  }
  for (; k < n; k += L) s0 = hn::MulAdd(load(a + k, n - k), load(b + k, n - k), s0);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
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
