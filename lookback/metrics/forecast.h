// How accurate forecasts of time series are. Every score is the one of utilsforecast 0.2 unless said otherwise, as are
// the names; where GluonTS 0.17 or scikit-learn mean something else by a name, that is said too.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/metrics/significance.h"

namespace lookback::metrics {

// One forecast of one series from one origin: H steps, Q levels, S sampled paths.
struct ForecastWindow {
  int64_t series = 0;               // which one it is; any number, the same for all windows of a series
  std::vector<double> actual;       // [H], NaN where missing: there nothing is scored
  std::vector<double> point;        // [H]
  std::vector<double> quantiles;    // [Q, H], of ForecastScoring::levels
  std::vector<double> samples;      // [S, H] or empty, in all windows alike; S may differ
  std::span<const double> history;  // what was known of the series at the origin, oldest first, NaN where missing; it
                                    // is not copied. May be empty: then mase, rmsse and msis skip the window
};

struct ForecastScoring {
  std::vector<double> levels = {};  // of the quantiles, in (0, 1), each 0.00001 or more above the one before
  int64_t seasonality = 1;          // m: the scale of mase, rmsse and msis is the error of the value m steps before
};

// The names of the scores, in the order in which they are printed. y is an actual value, f its point forecast, e = f -
// y, q a level, f_q its quantile forecast, pinball = max(q (y - f_q), (q - 1) (y - f_q)). The scale of a window is the
// mean of |y_t - y_(t-m)| over its history, pairs with a missing value left out, for rmsse that of the squares.
//
// Over all values at once, whatever the window:
//   mae, mse, rmse     mean |e|, mean e^2, and its root (utilsforecast's means over series: the mean of their roots)
//   mape               mean |e| / |y| in percent; skips y = 0 (which scikit-learn takes for 2e-16)
//   smape              mean |e| / (|f| + |y|) in percent, from 0 to 100, and 0 where both are 0 (which GluonTS skips).
//                      GluonTS, and M4, have a factor 2: from 0 to 200
//   wql                sum of 2 pinball / sum of |y|, mean over levels: GluonTS' mean_weighted_sum_quantile_loss and
//                      mean_wQuantileLoss; of one series, utilsforecast's scaled_crps. A share, but printed as it is
//   crps_quantiles     mean of 2 pinball, over levels too: twice utilsforecast's mqloss, scoringrules' crps_quantile.
//                      The more levels, evenly spaced, the closer to the CRPS
//   quantile_loss[q]   mean pinball (scikit-learn's mean_pinball_loss); GluonTS' QuantileLoss is twice the sum
//   calibration[q]     how many y <= f_q, in percent; GluonTS' Coverage, which is the mean of what windows have
//   coverage[p]        how many y lie in the central interval of p percent, its borders included, in percent.
//                      utilsforecast counts a missing value as outside, here it does not count
//   width[p]           mean width of that interval
//   crps               of the sampled paths, in the energy form mean_i |x_i - y| - mean_ij |x_i - x_j| / 2 (Gneiting
//                      and Raftery 2007), i = j included, as properscoring and scoringrules' "nrg" have it
// First of each window, then their mean over windows, which all count alike:
//   mase, rmsse        mean |e| / scale, root of (mean e^2 / scale) (Hyndman and Koehler 2006)
//   msis[p]            mean interval score of the p percent / scale (Gneiting and Raftery 2007; M4)
// They skip a window whose history has no two values m steps apart (of one too short GluonTS takes m = 1), or only
// equal ones (there both are infinite).
//
// [q] are the levels, as in quantile_loss[0.1]. There is an interval [p] for every two levels q < 1/2 and 1 - q, with
// p = 100 (1 - 2q), as in coverage[80]. Quantiles that cross are taken as they are; of a value below the lower one and
// above the upper one, msis counts the lower one (GluonTS both). GluonTS takes the median for mae, mape, smape and mase
// and the mean for mse; here it is one point forecast for all.
struct ForecastScore {
  std::optional<double> value;  // absent when count is 0
  int64_t count = 0;            // of values, or of windows for mase, rmsse and msis: what it is the mean of
  int64_t skipped = 0;          // there were, but the score has nothing to divide them by
};

struct ForecastScores {
  int64_t windows = 0;                // with an actual value
  int64_t empty = 0;                  // windows without; they count nowhere else
  int64_t values = 0;                 // actual values that are there
  int64_t missing = 0;                // and that are not
  std::vector<ForecastScore> scores;  // in the order of ForecastReport::names
};

struct ForecastReport {
  StringList names;  // those of quantiles only if there are levels, crps only if there are samples
  ForecastScores overall;
  std::map<int64_t, ForecastScores> by_series;  // of the windows of a series
  std::vector<ForecastScores> by_step;          // [largest H], as if this step were all that a window has

  // Where a score is in ForecastScores::scores. Throws ConfigError for an unknown name, with the nearest match.
  size_t find(std::string_view name) const;
  const ForecastScore& at(std::string_view name) const { return overall.scores[find(name)]; }  // overall
};

// Sums run in the order of the windows and their steps, on one thread. Throws ShapeError for no windows or sizes that
// do not fit, ConfigError for bad levels or seasonality, NumericError for a forecast that is not finite, an actual or
// past value that is infinite, or a score beyond what a double holds.
ForecastReport score_forecasts(std::span<const ForecastWindow> windows, const ForecastScoring& scoring = {});

// The central 95 % of one overall score over resamples of the windows that have it. Windows that overlap, or are of one
// series, depend on each other: of those the interval is too narrow. Throws what score_forecasts throws, ConfigError
// for an unknown score, FormatError if no window has it, and NumericError if a resample has only zeros to divide by.
Interval forecast_interval(std::span<const ForecastWindow> windows, const ForecastScoring& scoring,
                           std::string_view score, const BootstrapOptions& options = {});

// The same of the difference a - b of two forecasts of the same windows: every resample scores both, so 0 outside of
// the interval tells them apart. Throws ShapeError too unless series, actual values and histories are the same.
Interval forecast_difference_interval(std::span<const ForecastWindow> a, std::span<const ForecastWindow> b,
                                      const ForecastScoring& scoring, std::string_view score,
                                      const BootstrapOptions& options = {});

}  // namespace lookback::metrics
