// Forecasts that need no training, which any other has to be set beside: the last value, that of a season ago, a
// straight line, the mean.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookback {

// What is said of step h = 1, 2, ... after y_1 ... y_n, m the season:
enum class NaiveKind {
  last_value,  // y_n
  seasonal,    // the value at that place of the last season: y_{n + h - m ceil(h / m)}
  drift,       // y_n + h c, c = (y_n - y_1) / (n - 1): the line through the first and the last value
  mean,        // (y_1 + ... + y_n) / n
};

struct NaiveOptions {
  NaiveKind kind = NaiveKind::last_value;
  int64_t season = 1;  // for `seasonal`: after how many values it returns
};

// Of short histories: `seasonal` with less than a season and `drift` with one value are `last_value`; nothing at all
// forecasts 0. Both throw FormatError for a value that is not finite (the caller fills what is missing), ConfigError
// for a horizon, season or level out of range, and NumericError where a result leaves double.

// [H]
std::vector<double> naive_forecast(std::span<const double> history, int64_t horizon, const NaiveOptions& options = {});

// [H, Q]: how far step h may be from its forecast, for each of Q levels; added to the forecasts, of this history or of
// another one, they are its quantiles.
//
// They are quantiles of the errors that the forecasts of h steps make in the history, with c and the mean of the whole
// of it, as they are: not centred, so that the median of a rising history lies above its last value.
//   last_value  y_t - y_{t-h}          for all t > h
//   seasonal    y_t - y_{t-k m}        for all t > k m, k = ceil(h / m)
//   drift       y_t - y_{t-h} - h c    for all t > h
//   mean        y_t - mean             for all t
// Where fewer than half the values have such an error, that is for h > n / 2 (k m > n / 2), they are those of the
// largest h (k, but at least 1) for which half have one, times the root of how many times farther h (k) is: the errors
// of a walk grow so. Without any error (n = 1; n = m) all are 0. Between two errors a quantile is interpolated: at
// level p it stands at place p (N - 1) of the N errors sorted, counted from 0 (type 7 of Hyndman and Fan 1996).
std::vector<double> naive_error_quantiles(std::span<const double> history, int64_t horizon,
                                          std::span<const double> levels, const NaiveOptions& options = {});

}  // namespace lookback
