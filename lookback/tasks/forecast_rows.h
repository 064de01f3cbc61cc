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

// The two levels between which so many percent lie.
inline double low_level(double percent) { return (1 - percent / 100) / 2; }
inline double high_level(double percent) { return (1 + percent / 100) / 2; }
// Where a level is among some, to 1e-9; levels.size() if nowhere.
size_t find_level(std::span<const double> levels, double level);

// "80", "95": ascending numbers between 0 and 100. `what` is what messages call them.
std::vector<double> percents_of(const StringList& texts, const std::string& what);

}  // namespace lookback::tasks
