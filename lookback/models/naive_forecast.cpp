#include "lookback/models/naive_forecast.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/ceil_div.h"
#include "lookback/models/forecast_checks.h"

namespace lookback {
namespace {

constexpr const char* kWho = "naive forecast";

// What is left of the options for a history that may be short.
NaiveOptions checked(std::span<const double> history, int64_t horizon, NaiveOptions options) {
  check_values(history, kWho);
  check_horizon(horizon, kWho);
  check_season(options.season, kWho);
  if (options.kind != NaiveKind::seasonal) options.season = 1;
  if (options.season > std::ssize(history)) options = {};
  return options;
}

double slope_of(std::span<const double> y) {
  const auto steps = static_cast<double>(y.size()) - 1;
  return steps < 1 ? 0 : y.back() / steps - y.front() / steps;
}

// Added up as means of ever more, which no sum of large values leaves double for.
double mean_of(std::span<const double> y) {
  double mean = 0, n = 0;
  for (const double v : y) n += 1, mean += v / n - mean / n;
  return mean;
}

// Errors of `seasons` seasons ahead, sorted; a season is one step, except for NaiveKind::seasonal.
std::vector<double> sorted_errors(std::span<const double> y, int64_t seasons, const NaiveOptions& options) {
  const auto lag = static_cast<size_t>(seasons * options.season);
  std::vector<double> out;
  if (options.kind == NaiveKind::mean) {
    const double mean = mean_of(y);
    for (const double v : y) out.push_back(v - mean);
  } else {
    const double drift = options.kind == NaiveKind::drift ? static_cast<double>(seasons) * slope_of(y) : 0;
    for (size_t t = lag; t < y.size(); ++t) out.push_back(y[t] - y[t - lag] - drift);
  }
  std::ranges::sort(out);
  return out;
}

double quantile(std::span<const double> sorted, double level) {
  if (sorted.empty()) return 0;
  const double place = level * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place), above = std::min(below + 1, sorted.size() - 1);
  const double share = place - static_cast<double>(below);
  return (1 - share) * sorted[below] + share * sorted[above];
}

}  // namespace

std::vector<double> naive_forecast(std::span<const double> history, int64_t horizon, const NaiveOptions& options) {
  const NaiveOptions o = checked(history, horizon, options);
  std::vector<double> out(static_cast<size_t>(horizon));
  if (history.empty()) return out;
  const std::span<const double> season = history.last(static_cast<size_t>(o.season));
  const double slope = o.kind == NaiveKind::drift ? slope_of(history) : 0;
  for (size_t h = 0; h < out.size(); ++h) out[h] = season[h % season.size()] + static_cast<double>(h + 1) * slope;
  if (o.kind == NaiveKind::mean) std::ranges::fill(out, mean_of(history));
  check_forecast(out, kWho);
  return out;
}

std::vector<double> naive_error_quantiles(std::span<const double> history, int64_t horizon,
                                          std::span<const double> levels, const NaiveOptions& options) {
  const NaiveOptions o = checked(history, horizon, options);
  check_levels(levels, kWho);
  const bool grows = o.kind != NaiveKind::mean;
  const int64_t farthest = grows ? std::max<int64_t>(1, std::ssize(history) / 2 / o.season) : 1;
  int64_t taken = 0;
  std::vector<double> errors, out;
  for (int64_t h = 1; h <= horizon; ++h) {
    const int64_t ahead = ceil_div(h, o.season), seasons = std::min(ahead, farthest);
    if (seasons != taken) errors = sorted_errors(history, seasons, o), taken = seasons;
    const double growth = grows ? std::sqrt(static_cast<double>(ahead) / static_cast<double>(seasons)) : 1;
    for (const double p : levels) out.push_back(growth * quantile(errors, p));
  }
  check_forecast(out, kWho);
  return out;
}

}  // namespace lookback
