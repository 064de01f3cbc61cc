// Private to sound: bands or cepstra of windows, several at once, in double, with the same bits on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/sound/features.h"
#include "lookback/sound/fft.h"

namespace lookback::sound {

class WindowRows {
 public:
  // Windows of `length` samples, `bins` bands. ConfigError for bands that do not fit the sampling rate.
  WindowRows(const FeatureOptions& options, int64_t bins, int64_t length);

  // Rows of 1 to kLanes windows, from the first sample of each: out [n, channels].
  void operator()(std::span<const float* const> windows, std::vector<double>& scratch, float* out) const;

 private:
  struct Band {
    int64_t first = 0;            // place in the spectrum
    std::vector<double> weights;  // from there on
  };
  void make_window(const FeatureOptions& options);
  void make_bands(const FeatureOptions& options, int64_t bins);
  void make_cepstra(int64_t bins, int64_t ceps);

  RealFft fft_;
  double preemphasis_;
  std::vector<double> window_;
  std::vector<Band> bands_;
  std::vector<double> cepstra_;  // [ceps, bins], with the lifter; none of fbank
};

}  // namespace lookback::sound
