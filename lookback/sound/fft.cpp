#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/sound/fft.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "lookback/sound/fft.h"

#ifndef LOOKBACK_FFT_
#define LOOKBACK_FFT_
namespace lookback::sound {

// What a pass reads: runs of one value or several of each lane.
struct Runs {
  const double *re, *im;
  int64_t apart;  // doubles from the beginning of one run to that of the next
};

}  // namespace lookback::sound
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::sound::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<double, kLanes>;
using V = hn::Vec<D>;

// Products are rounded before they are added, on every machine.
HWY_INLINE V sum_of_products(V a, V b, V c, V d) { return hn::Add(hn::Mul(a, b), hn::Mul(c, d)); }
HWY_INLINE V difference_of_products(V a, V b, V c, V d) { return hn::Sub(hn::Mul(a, b), hn::Mul(c, d)); }

// One pass over n = 2 length stride values: pairs `length * stride` apart are added and subtracted, the difference
// turned by e^(-2 pi i p / (2 length)), of which cosines and sines hold every p stride.
void FftPass(Runs in, double* HWY_RESTRICT re_out, double* HWY_RESTRICT im_out, int64_t length, int64_t stride,
             const double* cosines, const double* sines) {
  const D d;
  const int64_t run = stride * kLanes, half = length * in.apart;
  for (int64_t p = 0; p < length; ++p) {
    const V c = hn::Set(d, cosines[p * stride]), s = hn::Set(d, sines[p * stride]);
    const double *ar = in.re + p * in.apart, *ai = in.im + p * in.apart, *br = ar + half, *bi = ai + half;
    double *yr = re_out + 2 * p * run, *yi = im_out + 2 * p * run, *zr = yr + run, *zi = yi + run;
    for (int64_t q = 0; q < run; q += static_cast<int64_t>(hn::Lanes(d))) {
      const V a = hn::LoadU(d, ar + q), b = hn::LoadU(d, br + q), ia = hn::LoadU(d, ai + q), ib = hn::LoadU(d, bi + q);
      const V dr = hn::Sub(a, b), di = hn::Sub(ia, ib);
      hn::StoreU(hn::Add(a, b), d, yr + q);
      hn::StoreU(hn::Add(ia, ib), d, yi + q);
      hn::StoreU(sum_of_products(dr, c, di, s), d, zr + q);
      hn::StoreU(difference_of_products(di, c, dr, s), d, zi + q);
    }
  }
}

// With Z, of n values, the transform of x_2k + i x_2k+1: X_k = (Z_k + Z*_n-k) / 2 - i e^(-2 pi i k / N) (Z_k - Z*_n-k)
// / 2, and X_n-k is the conjugate of the same with the other sign.
void FftPower(const double* HWY_RESTRICT re, const double* HWY_RESTRICT im, int64_t n, const double* cosines,
              const double* sines, double* HWY_RESTRICT power) {
  const D d;
  const V half = hn::Set(d, 0.5);
  for (int64_t q = 0; q < kLanes; q += static_cast<int64_t>(hn::Lanes(d))) {
    const V zero = hn::Add(hn::LoadU(d, re + q), hn::LoadU(d, im + q));
    hn::StoreU(hn::Mul(zero, zero), d, power + q);
    for (int64_t k = 1; k <= n / 2; ++k) {
      const int64_t at = k * kLanes + q, other = (n - k) * kLanes + q;
      const V rk = hn::LoadU(d, re + at), rj = hn::LoadU(d, re + other), ik = hn::LoadU(d, im + at),
              ij = hn::LoadU(d, im + other);
      const V er = hn::Mul(hn::Add(rk, rj), half), ei = hn::Mul(hn::Sub(ik, ij), half);  // of the even values
      const V dr = hn::Mul(hn::Add(ik, ij), half), di = hn::Mul(hn::Sub(rj, rk), half);  // of the odd ones
      const V c = hn::Set(d, cosines[k]), s = hn::Set(d, sines[k]);
      const V tr = sum_of_products(dr, c, di, s), ti = difference_of_products(di, c, dr, s);
      const V r = hn::Add(er, tr), i = hn::Add(ei, ti), other_r = hn::Sub(er, tr), other_i = hn::Sub(ei, ti);
      hn::StoreU(sum_of_products(r, r, i, i), d, power + at);
      hn::StoreU(sum_of_products(other_r, other_r, other_i, other_i), d, power + other);
    }
  }
}

}  // namespace lookback::sound::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <numbers>
#include <utility>

#include "lookback/base/elementary.h"

namespace lookback::sound {
HWY_EXPORT(FftPass);
HWY_EXPORT(FftPower);

RealFft::RealFft(int64_t n) : half_(n / 2) {
  const auto angle = [](int64_t k, int64_t whole) {
    return 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(whole);
  };
  for (int64_t k = 0; k < half_ / 2; ++k) {
    cosines_.push_back(elementary::cos(angle(k, half_)));
    sines_.push_back(elementary::sin(angle(k, half_)));
  }
  for (int64_t k = 0; k <= half_ / 2; ++k) {
    real_cosines_.push_back(elementary::cos(angle(k, n)));
    real_sines_.push_back(elementary::sin(angle(k, n)));
  }
}

void RealFft::power(const double* x, double* scratch, double* power) const {
  const int64_t n = half_, size = n * kLanes;
  Runs now{x, x + kLanes, 2 * kLanes};
  double *out = scratch, *other = scratch + 2 * size;
  for (int64_t length = n / 2, stride = 1; length >= 1; length /= 2, stride *= 2) {
    LOOKBACK_BEST(FftPass)(now, out, out + size, length, stride, cosines_.data(), sines_.data());
    now = {out, out + size, 2 * stride * kLanes};
    std::swap(out, other);
  }
  LOOKBACK_BEST(FftPower)(now.re, now.im, n, real_cosines_.data(), real_sines_.data(), power);
}

}  // namespace lookback::sound
#endif  // HWY_ONCE
