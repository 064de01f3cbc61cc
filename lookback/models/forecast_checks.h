// Private to models: what every forecaster of numbers asks of what it is given.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

#include "lookback/base/error.h"

namespace lookback {

inline constexpr int64_t kMaxHorizon = 1'000'000;

inline void check_values(std::span<const double> values, std::string_view who) {
  for (size_t t = 0; t < values.size(); ++t)
    check<FormatError>(std::isfinite(values[t]), who, ": value ", t + 1, " of a series is ", values[t],
                       "; fill what is missing first");
}

inline void check_horizon(int64_t horizon, std::string_view who) {
  check<ConfigError>(horizon >= 1 && horizon <= kMaxHorizon, who, ": a horizon of ", horizon,
                     " steps; it must lie between 1 and ", kMaxHorizon);
}

inline void check_season(int64_t season, std::string_view who) {
  check<ConfigError>(season >= 1, who, ": a season of ", season, " values; it must be 1 (none) or more");
}

inline void check_levels(std::span<const double> levels, std::string_view who) {
  for (const double p : levels)
    check<ConfigError>(p > 0 && p < 1, who, ": a quantile at level ", p, "; levels lie between 0 and 1");
}

// What leaves a forecaster is a number.
inline void check_forecast(std::span<const double> forecast, std::string_view who) {
  check<NumericError>(std::ranges::all_of(forecast, [](double v) { return std::isfinite(v); }), who,
                      ": the forecast leaves the range of double; divide the series by something");
}

}  // namespace lookback
