// Private to tasks: forecasts as people ask for them: points, quantiles, intervals.
#pragma once

#include <span>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/tasks/forecast_data.h"

namespace lookback::tasks {

// Forecasts of N windows, scaled: of each step the point, a quantile for each level, then both ends of each interval.
struct ForecastRows {
  int64_t horizon = 0;                 // H
  std::vector<double> levels;          // ascending
  std::vector<double> intervals = {};  // percent, ascending
  std::vector<double> values;          // [N, H, columns]

  size_t columns() const { return 1 + levels.size() + 2 * intervals.size(); }
  int64_t N() const { return std::ssize(values) / (horizon * static_cast<int64_t>(columns())); }
  // Of window n the columns of step h.
  std::span<const double> step(int64_t n, int64_t h) const {
    return std::span(values).subspan(static_cast<size_t>(n * horizon + h) * columns(), columns());
  }
};

// How far an interval that should hold so many percent of what comes has to reach beyond the model's own, or its point
// where it has none: so far that it would have held them on the validation part. Split-conformal prediction (Vovk et
// al. 2005), for quantiles that of Romano, Patterson and Candes 2019, in units of how much the values of the history
// spread (Lei et al. 2018), so that quiet times have narrower intervals; each step of the horizon for itself.
struct ConformalMargin {
  double percent = 0;
  std::vector<double> margins;  // [H], times kLeastSpread + the deviation of the history's scaled values
};

// The least margin m such that ceil((n + 1) percent / 100) of the n misses are at most m, the largest where these are
// more than there are. `misses` are how far beyond its interval each value lay, negative inside; at least one.
double conformal_margin(std::vector<double> misses, double percent);

// The two levels between which so many percent lie.
inline double low_level(double percent) { return (1 - percent / 100) / 2; }
inline double high_level(double percent) { return (1 + percent / 100) / 2; }
// Where a level is among some, to 1e-9; levels.size() if nowhere.
size_t find_level(std::span<const double> levels, double level);

// "80", "95": ascending numbers between 0 and 100. `what` is what messages call them.
std::vector<double> percents_of(const StringList& texts, const std::string& what);

}  // namespace lookback::tasks
