// The linear forecast that any network has to be set beside: NLinear (Zeng, Chen, Zhang and Xu 2023, "Are transformers
// effective for time series forecasting?") without a bias, in closed form.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookback {

// L values that are seen, H that follow.
struct ForecastWindow {
  int64_t lookback = 336;
  int64_t horizon = 96;
};

// Step h after x_1 ... x_L is x_L + sum over i < L of weights[i, h] (x_i - x_L). Methods are const and may run on
// several threads at once.
class LinearForecast {
 public:
  // weights [L - 1, H]; ShapeError for another number of them, NumericError for one that is not finite.
  LinearForecast(const ForecastWindow& window, std::vector<double> weights);

  // [H], from the last L values of a history. One of fewer values is continued to the left by its first; nothing at all
  // forecasts 0. FormatError for a value that is not finite, NumericError where a forecast leaves double.
  std::vector<double> predict(std::span<const double> history) const;

  // [N, H]: row n from the history before value origins[n] of a series, counted from 0: what predict(series.first(
  // origins[n])) gives, bit for bit, whatever the threads. ShapeError for an origin outside of the series.
  std::vector<double> predict_from(std::span<const double> series, std::span<const int64_t> origins) const;

  const ForecastWindow& window() const { return window_; }
  std::span<const double> weights() const { return weights_; }

 private:
  ForecastWindow window_;
  std::vector<double> weights_;
};

// A series whose values from `begin` on are to be forecast, each from all that is before it.
struct ForecastTarget {
  std::span<const double> series;
  int64_t begin = 0;
};

// Both throw ShapeError where no series is long enough for a window, FormatError for a value that is not finite (the
// caller fills what is missing), ConfigError for a window or ridge out of range, and NumericError for series so large
// or unlike each other that their products leave double: standardise them. Series too short for a window add nothing.

// The weights with the least sum of squared errors over all windows of L + H values of all series, plus ridge d
// |weights|^2, d the mean over i of what (x_i - x_L)^2 adds up to over those windows; 1e-8 <= ridge <= 1e8. One set of
// weights for all series. Time N (L + H) + L^2 (L + H) for N values, memory 16 L (L + H) bytes; one thread, the same
// bits every time.
LinearForecast train_linear_forecast(std::span<const std::span<const double>> series, const ForecastWindow& window,
                                     double ridge);

// Of `ridges` the one whose weights, learnt from `series`, have the least mean squared error over all windows of
// `validation` whose H values all lie from `begin` on; the first of those.
double select_ridge(std::span<const std::span<const double>> series, std::span<const ForecastTarget> validation,
                    const ForecastWindow& window, std::span<const double> ridges);

}  // namespace lookback
