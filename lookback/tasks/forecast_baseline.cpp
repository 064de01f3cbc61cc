// What a sceptic would try first. Each is fitted to the training part once; what came since moves its state on.
#include <algorithm>

#include "lookback/models/exponential_smoothing.h"
#include "lookback/models/linear_forecast.h"
#include "lookback/models/naive_forecast.h"
#include "lookback/tasks/forecast.h"

namespace lookback::tasks {
namespace {

using Windows = std::span<const ForecastWindows::Window>;

struct Baseline {
  std::string name;
  ForecastFrom forecast;
};

std::span<const double> learnt(const SplitSeries& s) {
  return std::span(s.scaled).first(static_cast<size_t>(std::max<int64_t>(1, s.valid_from)));
}

// Calls f(series, its windows) for each series that has some; they are one after the other.
template <class F>
void by_series(const SplitTable& table, Windows windows, F&& f) {
  for (size_t first = 0; first < windows.size();) {
    size_t end = first;
    while (end < windows.size() && windows[end].series == windows[first].series) ++end;
    f(table.series[static_cast<size_t>(windows[first].series)], windows.subspan(first, end - first));
    first = end;
  }
}

Baseline naive(const char* name, const SplitTable& table, const NaiveOptions& options, int64_t H,
               const std::vector<double>& levels) {
  return {name, [=, &table](Windows windows) {
            ForecastRows out{.horizon = H, .levels = levels, .values = {}};
            by_series(table, windows, [&](const SplitSeries& s, Windows of_series) {
              std::vector<double> errors;
              if (!levels.empty()) errors = naive_error_quantiles(learnt(s), H, levels, options);
              for (const auto& w : of_series) {
                const auto row = naive_forecast(std::span(s.scaled).first(static_cast<size_t>(w.origin)), H, options);
                for (size_t h = 0; h < row.size(); ++h) {
                  out.values.push_back(row[h]);
                  for (size_t q = 0; q < levels.size(); ++q)
                    out.values.push_back(row[h] + errors[h * levels.size() + q]);
                }
              }
            });
            return out;
          }};
}

Baseline smoothing(const char* name, const SplitTable& table, const SmoothingForm& form, int64_t H,
                   const std::vector<double>& levels) {
  return {name, [=, &table](Windows windows) {
            ForecastRows out{.horizon = H, .levels = levels, .values = {}};
            by_series(table, windows, [&](const SplitSeries& s, Windows of_series) {
              auto model = train_exponential_smoothing(learnt(s), form);
              size_t seen = learnt(s).size();
              for (const auto& w : of_series) {
                for (; seen < static_cast<size_t>(w.origin); ++seen) model.update(s.scaled[seen]);
                const auto row = model.forecast(H);
                const auto quantiles = levels.empty() ? std::vector<double>() : model.quantiles(H, levels);
                for (size_t h = 0; h < row.size(); ++h) {
                  out.values.push_back(row[h]);
                  for (size_t q = 0; q < levels.size(); ++q) out.values.push_back(quantiles[h * levels.size() + q]);
                }
              }
            });
            return out;
          }};
}

// Quantiles are the point and those of the errors on the validation part, each step of the horizon for itself.
Baseline linear(const SplitTable& table, const ForecastData& data, const std::vector<double>& levels,
                const LogSink& log) {
  const auto map = std::make_shared<LinearForecast>(linear_map(table, data, log));
  const int64_t H = data.longest_horizon();
  std::vector<double> errors;  // [H, Q]
  for (int64_t h = 0; !levels.empty() && h < H; ++h) {
    std::vector<double> misses;
    for (const SplitSeries& s : table.series) {
      std::vector<int64_t> origins;
      for (int64_t t = std::max<int64_t>(1, s.valid_from); t + h < s.test_from; ++t) origins.push_back(t);
      const auto rows = map->predict_from(s.scaled, origins);
      for (size_t n = 0; n < origins.size(); ++n)
        if (const auto at = static_cast<size_t>(origins[n] + h); s.series.known[at])
          misses.push_back(s.scaled[at] - rows[n * static_cast<size_t>(H) + static_cast<size_t>(h)]);
    }
    std::ranges::sort(misses);
    for (const double p : levels) errors.push_back(misses.empty() ? 0 : quantile_of_sorted(misses, p));
  }
  return {"linear map", [=, &table](Windows windows) {
            ForecastRows out{.horizon = H, .levels = levels, .values = {}};
            by_series(table, windows, [&](const SplitSeries& s, Windows of_series) {
              std::vector<int64_t> origins;
              for (const auto& w : of_series) origins.push_back(w.origin);
              const auto rows = map->predict_from(s.scaled, origins);
              for (size_t k = 0; k < rows.size(); ++k) {
                out.values.push_back(rows[k]);
                for (size_t q = 0; q < levels.size(); ++q)
                  out.values.push_back(rows[k] + errors[k % static_cast<size_t>(H) * levels.size() + q]);
              }
            });
            return out;
          }};
}

}  // namespace

std::vector<std::pair<std::string, ForecastFrom>> naive_methods(const SplitTable& table, int64_t horizon) {
  const Baseline last = naive("last value", table, {.kind = NaiveKind::last_value}, horizon, {});
  std::vector<std::pair<std::string, ForecastFrom>> out{{last.name, last.forecast}};
  if (table.season() == 1) return out;
  const Baseline season =
      naive("seasonal naive", table, {.kind = NaiveKind::seasonal, .season = table.season()}, horizon, {});
  out.emplace_back(season.name, season.forecast);
  return out;
}

std::vector<BaselineScores> Forecast::all_baselines(const Recipe& recipe, const std::string& root, const LogSink& log) {
  const SplitTable table = read_split(recipe.data, root);
  log(Severity::info, data::describe(table.report));
  const int64_t H = recipe.data.longest_horizon(), m = table.season();
  const auto levels = recipe.loss.level_list();
  using Trend = SmoothingForm::Trend;
  std::vector<Baseline> all{naive("last value", table, {.kind = NaiveKind::last_value}, H, levels)};
  if (m > 1) all.push_back(naive("seasonal naive", table, {.kind = NaiveKind::seasonal, .season = m}, H, levels));
  all.push_back(naive("drift", table, {.kind = NaiveKind::drift}, H, levels));
  all.push_back(naive("mean", table, {.kind = NaiveKind::mean}, H, levels));
  all.push_back(smoothing("simple exponential smoothing", table, {}, H, levels));
  all.push_back(smoothing("Holt", table, {.trend = Trend::additive}, H, levels));
  if (m > 1) all.push_back(smoothing("Holt-Winters", table, {.trend = Trend::additive, .season = m}, H, levels));
  all.push_back(linear(table, recipe.data, levels, log));
  std::vector<BaselineScores> out;
  for (const auto& [name, split] : {std::pair("data.valid", Split::valid), {"data.test", Split::test}})
    for (const Baseline& b : all) {
      log(Severity::info, str_cat(b.name, ", ", name));
      out.push_back({b.name, name, score_part(table, split, recipe.data, b.forecast, {}).lines});
    }
  return out;
}

}  // namespace lookback::tasks
