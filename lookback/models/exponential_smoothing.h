// Exponential smoothing with additive errors: simple, Holt's, damped, and each with an additive season (Holt and
// Winters). Gardner 2006, "Exponential smoothing: the state of the art"; as state spaces Hyndman, Koehler, Ord and
// Snyder 2008, "Forecasting with exponential smoothing": ANN, AAN, AAdN, ANA, AAA, AAdA.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookback {

struct SmoothingForm {
  enum class Trend { none, additive, damped };

  Trend trend = Trend::none;
  int64_t season = 1;  // m, the values after which it returns; 1: there is none
};

// beta and gamma in the form of errors: beta is alpha times Holt's beta, gamma is (1 - alpha) times Winters' gamma.
struct SmoothingWeights {
  double alpha = 1, beta = 0, gamma = 0, phi = 1;
};

// Level l, slope b and the last m seasonal values s, which each value y changes by its error e:
//   e = y - (l + phi b + s_m)
//   l' = l + phi b + alpha e,  b' = phi b + beta e,  s' = s_m + gamma e
class ExponentialSmoothing {
 public:
  struct State {
    double level = 0, slope = 0;
    std::vector<double> season;  // [m], {0} where there is none; the next value has season[next]
    size_t next = 0;
  };

  // `deviation` is the standard deviation of the errors.
  ExponentialSmoothing(SmoothingForm form, SmoothingWeights weights, State state, double deviation);

  // One more value of the series: the state moves on, the weights and the deviation stay. FormatError for a value that
  // is not finite.
  void update(double value);

  // [H]: l + (phi + ... + phi^h) b + s. ConfigError for a horizon out of range, NumericError where one leaves double.
  std::vector<double> forecast(int64_t horizon) const;

  // [H, Q] of a normal distribution around the forecast, whose variance at step h is deviation^2 (1 + sum_{0 < j < h}
  // c_j^2), c_j = alpha + beta (phi + ... + phi^j) + gamma [m divides j] (class 1 of Hyndman et al. 2008, chapter 6).
  // The same errors, and ConfigError for a level outside of (0, 1).
  std::vector<double> quantiles(int64_t horizon, std::span<const double> levels) const;

  const SmoothingForm& form() const { return form_; }
  const SmoothingWeights& weights() const { return weights_; }
  const State& state() const { return state_; }
  double deviation() const { return deviation_; }

 private:
  SmoothingForm form_;
  SmoothingWeights weights_;
  State state_;
  double deviation_;
};

// The weights and the first state with the least sum of squared errors of one step over the history, all of them free:
// 0.0001 <= alpha <= 0.9999, 0 <= beta <= alpha, 0 <= gamma <= 1 - alpha, 0.8 <= phi <= 0.98 (the bounds of R's ets).
// By L-BFGS from a few fixed starts: the same bits every time; the least near those starts, if not always of all. The
// deviation is the root of that sum divided by n less the numbers that were free.
//
// A history of less than two seasons, or of fewer values than the numbers that are free and two more, takes a plainer
// form, and form() says so: without the season, then without the trend, then alpha = 1, the last value, with the root
// mean square of the changes as deviation. A history that never changes is forecast as it is, with deviation 0; a
// single value too; nothing at all forecasts 0.
//
// FormatError for a value that is not finite (the caller fills what is missing), ConfigError for a season below 1.
ExponentialSmoothing train_exponential_smoothing(std::span<const double> history, const SmoothingForm& form = {});

}  // namespace lookback
