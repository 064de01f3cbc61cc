// What a sceptic would try first. Each is fitted to the training part once; what came since moves its state on.
#include <algorithm>

#include "lookback/models/exponential_smoothing.h"
#include "lookback/models/linear_forecast.h"
#include "lookback/models/naive_forecast.h"
#include "lookback/tasks/forecast.h"

namespace lookback::tasks {
namespace {

struct Baseline {
  std::string name;
  ForecastFrom forecast;
};

// Appends row [H] as [H, Q]: the same everywhere, or with the quantiles of its errors [H, Q] around it.
void append(const std::vector<double>& row, const std::vector<double>& errors, size_t levels,
            std::vector<double>& out) {
  const size_t Q = std::max<size_t>(1, levels);
  for (size_t h = 0; h < row.size(); ++h)
    for (size_t q = 0; q < Q; ++q) out.push_back(row[h] + (levels ? errors[h * Q + q] : 0));
}

std::span<const double> learnt(const SplitSeries& s) {
  return std::span(s.scaled).first(static_cast<size_t>(std::max<int64_t>(1, s.valid_from)));
}

Baseline naive(const char* name, const SplitTable& table, const NaiveOptions& options, int64_t H,
               const std::vector<double>& levels) {
  return {name, [=, &table](size_t k, std::span<const int64_t> origins) {
            const SplitSeries& s = table.series[k];
            std::vector<double> errors, out;
            if (!levels.empty()) errors = naive_error_quantiles(learnt(s), H, levels, options);
            for (const int64_t origin : origins)
              append(naive_forecast(std::span(s.scaled).first(static_cast<size_t>(origin)), H, options), errors,
                     levels.size(), out);
            return out;
          }};
}

Baseline smoothing(const char* name, const SplitTable& table, const SmoothingForm& form, int64_t H,
                   const std::vector<double>& levels) {
  return {name, [=, &table](size_t k, std::span<const int64_t> origins) {
            const SplitSeries& s = table.series[k];
            auto model = train_exponential_smoothing(learnt(s), form);
            std::vector<double> out;
            size_t seen = learnt(s).size();
            for (const int64_t origin : origins) {
              for (; seen < static_cast<size_t>(origin); ++seen) model.update(s.scaled[seen]);
              const auto rows = levels.empty() ? model.forecast(H) : model.quantiles(H, levels);
              out.insert(out.end(), rows.begin(), rows.end());
            }
            return out;
          }};
}

}  // namespace

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
  if (levels.empty()) {
    const auto map = std::make_shared<LinearForecast>(linear_map(table, recipe.data, log));
    all.push_back({"linear map", [=, &table](size_t k, std::span<const int64_t> origins) {
                     return map->predict_from(table.series[k].scaled, origins);
                   }});
  }
  std::vector<BaselineScores> out;
  for (const auto& [name, split] : {std::pair("data.valid", Split::valid), {"data.test", Split::test}})
    for (const Baseline& b : all) {
      log(Severity::info, str_cat(b.name, ", ", name));
      out.push_back({b.name, name, score_part(table, split, recipe.data, levels, b.forecast, 0)});
    }
  return out;
}

}  // namespace lookback::tasks
