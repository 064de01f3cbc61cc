// How good forecasts of a part are, whoever made them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "lookback/base/error.h"
#include "lookback/metrics/forecast.h"
#include "lookback/tasks/forecast.h"

namespace lookback::tasks {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// One series of a part: what is scored, in the units of the scores, and its forecasts.
struct Scored {
  std::vector<double> values;     // [T] NaN where a value is not known
  std::vector<int64_t> origins;   // of forecasts of the shortest horizon
  std::vector<double> forecasts;  // [N, H * Q], scaled
  int64_t end;
};

// Behind the point: so many that a small score has four that count.
int digits_of(double score) {
  int digits = 4;
  for (double x = std::abs(score); 0 < x && x < 0.1 && digits < 12; x *= 10) ++digits;
  return digits;
}

std::vector<int64_t> origins_of(int64_t begin, int64_t end, int64_t horizon, int64_t stride) {
  std::vector<int64_t> out;
  for (int64_t t = std::max<int64_t>(1, begin); t + horizon <= end; t += stride) out.push_back(t);
  return out;
}

std::string signature_of(const ForecastData& options, int64_t horizon, int64_t windows, int64_t season) {
  return str_cat("horizon:", horizon, "|windows:", windows, "|stride:", options.stride, "|units:", options.units,
                 "|season:", season);
}

StringList names_of(const ForecastData& options, std::span<const double> levels) {
  StringList out{"mse", "mae"};
  if (options.units == "original")
    for (const char* name : {"rmse", "smape", "mase", "rmsse"}) out.emplace_back(name);
  if (levels.empty()) return out;
  out.emplace_back("wql");
  for (const double low : levels)
    for (const double high : levels)
      if (low < 0.5 && std::abs(low + high - 1) < 1e-9) {
        const auto percent = std::lround(100 * (high - low));
        out.push_back(str_cat("coverage[", percent, "]"));
      }
  return out;
}

}  // namespace

std::vector<EvaluationLine> score_part(const SplitTable& table, Split split, const ForecastData& options,
                                       std::span<const double> levels, const ForecastFrom& forecast,
                                       int64_t resamples) {
  const auto horizons = options.horizon_list();
  const int64_t longest = horizons.back();
  const size_t Q = std::max<size_t>(1, levels.size());
  const size_t median = middle(levels);
  const bool is_scaled = options.units == "scaled";
  std::vector<Scored> scored;
  for (size_t k = 0; k < table.series.size(); ++k) {
    const SplitSeries& s = table.series[k];
    Scored one{.values = is_scaled ? s.scaled : s.series.values,
               .origins = origins_of(s.begin(split), s.end(split), horizons.front(), options.stride),
               .forecasts = {},
               .end = s.end(split)};
    for (size_t t = 0; t < one.values.size(); ++t)
      if (!s.series.known[t]) one.values[t] = kNone;
    if (!one.origins.empty()) one.forecasts = forecast(k, one.origins);
    scored.push_back(std::move(one));
  }

  std::vector<EvaluationLine> out;
  std::map<std::string, double> sums;
  for (const int64_t H : horizons) {
    std::vector<metrics::ForecastWindow> windows;
    for (size_t k = 0; k < scored.size(); ++k) {
      const Scored& one = scored[k];
      const Scaling scaling = is_scaled ? Scaling() : table.series[k].scaling;
      for (size_t n = 0; n < one.origins.size() && one.origins[n] + H <= one.end; ++n) {
        const int64_t origin = one.origins[n];
        metrics::ForecastWindow w{.series = static_cast<int64_t>(k),
                                  .actual = {one.values.begin() + origin, one.values.begin() + origin + H},
                                  .point = {},
                                  .quantiles = {},
                                  .samples = {},
                                  .history = std::span(one.values).first(static_cast<size_t>(origin))};
        const auto value = [&](int64_t h, size_t q) {
          return scaling.original(one.forecasts[(n * static_cast<size_t>(longest) + static_cast<size_t>(h)) * Q + q]);
        };
        for (int64_t h = 0; h < H; ++h) w.point.push_back(value(h, median));
        for (size_t q = 0; q < levels.size(); ++q)
          for (int64_t h = 0; h < H; ++h) w.quantiles.push_back(value(h, q));
        windows.push_back(std::move(w));
      }
    }
    check<FormatError>(!windows.empty(), "no series has ", H, " values in its ",
                       split == Split::test ? "test" : "validation", " part, for data.horizons = ", H);
    const metrics::ForecastScoring scoring{.levels = {levels.begin(), levels.end()}, .seasonality = table.season()};
    const auto report = metrics::score_forecasts(windows, scoring);
    const std::string signature = signature_of(options, H, std::ssize(windows), table.season());
    for (const std::string& name : names_of(options, levels)) {
      const auto& score = report.at(name);
      if (!score.value) continue;  // it has nothing to be divided by
      sums[name] += *score.value / static_cast<double>(horizons.size());
      EvaluationLine line{.name = horizons.size() > 1 ? str_cat(name, "_", H) : name,
                          .value = *score.value,
                          .signature = signature,
                          .digits = digits_of(*score.value)};
      if (resamples) line.interval = metrics::forecast_interval(windows, scoring, name, {.samples = resamples});
      out.push_back(std::move(line));
    }
  }
  if (horizons.size() == 1) return out;
  std::vector<EvaluationLine> all;
  for (const std::string& name : names_of(options, levels))
    if (sums.contains(name))
      all.push_back(
          {.name = name, .value = sums[name], .signature = "mean over horizons", .digits = digits_of(sums[name])});
  for (EvaluationLine& line : out) all.push_back(std::move(line));
  return all;
}

}  // namespace lookback::tasks
