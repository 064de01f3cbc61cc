#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/sound/window_rows.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "lookback/base/log_of_normal.h"
#include "lookback/sound/window_rows.h"

#ifndef LOOKBACK_WINDOW_ROWS_
#define LOOKBACK_WINDOW_ROWS_
#include <limits>

namespace lookback::sound {

constexpr double kScale = 32768;       // Kaldi's samples are those of 16-bit files
constexpr double kSmallest = 0x1p-23;  // the smallest energy

}  // namespace lookback::sound
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::sound::HWY_NAMESPACE {

// Loops over kLanes values side by side, which compilers turn into one vector, and flat ones.

// x: [n, kLanes] -> without the mean, emphasised, times the window.
void ShapeWindows(const double* HWY_RESTRICT window, int64_t n, double emphasis, double* HWY_RESTRICT x) {
  // Four sums of each, always in this order.
  constexpr int64_t kSums = 4 * kLanes;
  double sums[kSums] = {};
  const int64_t values = n * kLanes, whole = values / kSums * kSums;
  for (int64_t k = 0; k < whole; k += kSums)
    for (int64_t i = 0; i < kSums; ++i) sums[i] += x[k + i];
  for (int64_t k = whole; k < values; ++k) sums[k - whole] += x[k];
  double mean[kLanes], before[kLanes];
  for (int64_t l = 0; l < kLanes; ++l)
    mean[l] = ((sums[l] + sums[kLanes + l]) + (sums[2 * kLanes + l] + sums[3 * kLanes + l])) / static_cast<double>(n);
  for (int64_t l = 0; l < kLanes; ++l) before[l] = x[l] - mean[l];
  for (int64_t k = 0; k < n; ++k)
    for (int64_t l = 0; l < kLanes; ++l) {
      const double now = x[k * kLanes + l] - mean[l];
      x[k * kLanes + l] = (now - emphasis * before[l]) * window[k];
      before[l] = now;
    }
}

// out[kLanes] = sum_k weights[k] x[k, kLanes]
void WeighLanes(const double* HWY_RESTRICT weights, int64_t n, const double* HWY_RESTRICT x, double* HWY_RESTRICT out) {
  double sum[kLanes] = {};
  for (int64_t k = 0; k < n; ++k)
    for (int64_t l = 0; l < kLanes; ++l) sum[l] += weights[k] * x[k * kLanes + l];
  for (int64_t l = 0; l < kLanes; ++l) out[l] = sum[l];
}

// Logarithms of energies; what is no number stays what it is.
void LogEnergies(double* HWY_RESTRICT x, int64_t n) {
  for (int64_t k = 0; k < n; ++k) {
    const double v = x[k] < kSmallest ? kSmallest : x[k], log = elementary::log_of_normal(v);
    x[k] = v <= std::numeric_limits<double>::max() ? log : v;
  }
}

}  // namespace lookback::sound::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>
#include <numbers>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"

namespace lookback::sound {
HWY_EXPORT(ShapeWindows);
HWY_EXPORT(WeighLanes);
HWY_EXPORT(LogEnergies);

namespace {

constexpr double kLifter = 22;  // of cepstra

double mel(double hertz) { return 1127 * elementary::log(1 + hertz / 700); }

int64_t power_of_two_from(int64_t length) {
  int64_t out = 4;
  while (out < length) out *= 2;
  return out;
}

}  // namespace

WindowRows::WindowRows(const FeatureOptions& options, int64_t bins, int64_t length)
    : fft_(power_of_two_from(length)), preemphasis_(options.preemphasis), window_(static_cast<size_t>(length)) {
  make_window(options);
  make_bands(options, bins);
  if (options.kind == "mfcc") make_cepstra(bins, options.ceps);
}

void WindowRows::make_window(const FeatureOptions& options) {
  const double step = 2 * std::numbers::pi / (static_cast<double>(window_.size()) - 1);
  for (size_t k = 0; k < window_.size(); ++k) {
    const double c = elementary::cos(step * static_cast<double>(k)), hanning = std::max(0.0, 0.5 - 0.5 * c);
    window_[k] = options.window == "hamming"   ? 0.54 - 0.46 * c
                 : options.window == "hanning" ? hanning
                                               : elementary::pow(hanning, 0.85);
  }
}

// Triangles that are as wide as each other in mel, each from the middle of the one before to that of the next.
void WindowRows::make_bands(const FeatureOptions& options, int64_t bins) {
  const auto rate = static_cast<double>(options.sample_rate);
  const double high = options.high > 0 ? options.high : rate / 2 + options.high;
  check<ConfigError>(options.low < high && high <= rate / 2, "features: bands from low = ", options.low,
                     " to high = ", high, " Hz; they must rise and end at ", rate / 2,
                     " Hz, half of sample_rate, or before");
  const double first = mel(options.low), step = (mel(high) - first) / static_cast<double>(bins + 1);
  const int64_t size = fft_.size();
  for (int64_t b = 0; b < bins; ++b) {
    const double left = first + static_cast<double>(b) * step, center = left + step, right = center + step;
    Band band;
    for (int64_t k = 0; k < size / 2; ++k) {
      const double m = mel(rate * static_cast<double>(k) / static_cast<double>(size));
      const double weight = std::min((m - left) / (center - left), (right - m) / (right - center));
      if (weight <= 0) continue;
      if (band.weights.empty()) band.first = k;
      band.weights.push_back(weight);
    }
    bands_.push_back(std::move(band));
  }
}

// The cosine transform (type II, orthonormal), each row times 1 + 11 sin(pi k / 22).
void WindowRows::make_cepstra(int64_t bins, int64_t ceps) {
  const auto count = static_cast<double>(bins);
  for (int64_t k = 0; k < ceps; ++k) {
    const auto order = static_cast<double>(k);
    // The sine comes back every 44 cepstra; so no angle is large.
    const double turn = static_cast<double>(k % 44);
    const double lifter = 1 + kLifter / 2 * elementary::sin(std::numbers::pi * turn / kLifter);
    for (int64_t b = 0; b < bins; ++b) {
      const double angle = std::numbers::pi / count * (static_cast<double>(b) + 0.5) * order;
      const double scale = std::sqrt((k == 0 ? 1 : 2) / count);
      cepstra_.push_back(lifter * scale * elementary::cos(angle));
    }
  }
}

void WindowRows::operator()(std::span<const float* const> windows, std::vector<double>& scratch, float* out) const {
  const int64_t n = std::ssize(window_), size = fft_.size(), bins = std::ssize(bands_);
  scratch.resize(static_cast<size_t>((size + size / 2 + 2 * bins) * kLanes + fft_.scratch_size()));
  double* const x = scratch.data();
  double* const power = x + size * kLanes;
  double* const energies = power + size / 2 * kLanes;
  double* const cepstra = energies + bins * kLanes;
  for (int64_t l = 0; l < kLanes; ++l) {
    // Lanes that nobody asked for are a window once more.
    const float* const samples = windows[static_cast<size_t>(std::min<int64_t>(l, std::ssize(windows) - 1))];
    for (int64_t k = 0; k < n; ++k) x[k * kLanes + l] = static_cast<double>(samples[k]) * kScale;
  }
  LOOKBACK_BEST(ShapeWindows)(window_.data(), n, preemphasis_, x);
  std::fill(x + n * kLanes, power, 0.0);
  fft_.power(x, cepstra + bins * kLanes, power);
  const auto weigh = LOOKBACK_BEST(WeighLanes);
  for (int64_t b = 0; b < bins; ++b) {
    const Band& band = bands_[static_cast<size_t>(b)];
    weigh(band.weights.data(), std::ssize(band.weights), power + band.first * kLanes, energies + b * kLanes);
  }
  LOOKBACK_BEST(LogEnergies)(energies, bins * kLanes);
  const double* rows = energies;  // [channels, kLanes]
  int64_t channels = bins;
  if (!cepstra_.empty()) {
    channels = std::ssize(cepstra_) / bins;
    for (int64_t c = 0; c < channels; ++c) weigh(cepstra_.data() + c * bins, bins, energies, cepstra + c * kLanes);
    rows = cepstra;
  }
  for (int64_t l = 0; l < std::ssize(windows); ++l)
    for (int64_t c = 0; c < channels; ++c) out[l * channels + c] = static_cast<float>(rows[c * kLanes + l]);
}

}  // namespace lookback::sound
#endif  // HWY_ONCE
