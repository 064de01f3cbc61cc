#include "lookback/sound/fft.h"

#include <numbers>

#include "lookback/base/elementary.h"

namespace lookback::sound {
namespace {

// One pass over n = 2 length stride values: pairs `length * stride` apart are added and subtracted, the difference
// turned by e^(-2 pi i p / (2 length)).
void pass(const double* re, const double* im, double* re_out, double* im_out, int64_t length, int64_t stride,
          const double* cosines, const double* sines) {
  const int64_t apart = length * stride;
  for (int64_t p = 0; p < length; ++p) {
    const double c = cosines[p * stride], s = sines[p * stride];
    const double *ar = re + p * stride, *ai = im + p * stride, *br = ar + apart, *bi = ai + apart;
    double *yr = re_out + 2 * p * stride, *yi = im_out + 2 * p * stride, *zr = yr + stride, *zi = yi + stride;
    for (int64_t q = 0; q < stride; ++q) {
      const double dr = ar[q] - br[q], di = ai[q] - bi[q];
      yr[q] = ar[q] + br[q], yi[q] = ai[q] + bi[q];
      zr[q] = dr * c + di * s, zi[q] = di * c - dr * s;
    }
  }
}

}  // namespace

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
  const int64_t n = half_;
  double *re = scratch, *im = scratch + n, *re_next = scratch + 2 * n, *im_next = scratch + 3 * n;
  for (int64_t k = 0; k < n; ++k) re[k] = x[2 * k], im[k] = x[2 * k + 1];
  for (int64_t length = n / 2, stride = 1; length >= 1; length /= 2, stride *= 2) {
    pass(re, im, re_next, im_next, length, stride, cosines_.data(), sines_.data());
    std::swap(re, re_next), std::swap(im, im_next);
  }
  // With Z the transform of x_2k + i x_2k+1: X_k = (Z_k + Z*_n-k) / 2 - i e^(-2 pi i k / N) (Z_k - Z*_n-k) / 2, and
  // X_n-k is the conjugate of the same with the other sign.
  const double zero = re[0] + im[0];
  power[0] = zero * zero;
  for (int64_t k = 1; k <= n / 2; ++k) {
    const int64_t j = n - k;
    const double er = (re[k] + re[j]) / 2, ei = (im[k] - im[j]) / 2;  // of the even values
    const double dr = (im[k] + im[j]) / 2, di = (re[j] - re[k]) / 2;  // of the odd ones
    const auto at = static_cast<size_t>(k);
    const double c = real_cosines_[at], s = real_sines_[at];
    const double tr = dr * c + di * s, ti = di * c - dr * s;
    power[k] = (er + tr) * (er + tr) + (ei + ti) * (ei + ti);
    power[j] = (er - tr) * (er - tr) + (ei - ti) * (ei - ti);
  }
}

}  // namespace lookback::sound
