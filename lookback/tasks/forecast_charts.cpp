// Forecasts as pictures.
#include "lookback/tasks/forecast_charts.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/io/json.h"

namespace lookback::tasks {
namespace {

constexpr int64_t kMostStrips = 8;      // more rows of weights are averaged
constexpr int64_t kMostForecasts = 12;  // that a back-test's picture shows

std::vector<double> values_between(const SplitSeries& s, int64_t begin, int64_t end) {
  std::vector<double> out;
  for (int64_t t = begin; t < end; ++t) out.push_back(s.series.known_value(t));
  return out;
}

// The forecast of window n with its intervals, its first step at `first`.
viz::Chart::Line forecast_line(const ForecastRows& rows, int64_t n, int64_t H, const Scaling& scaling, int64_t first) {
  viz::Chart::Line out{.name = "forecast", .values = {}, .first = first, .bands = {}};
  for (const double percent : rows.intervals)
    out.bands.push_back({.name = io::json_number(percent) + " %", .low = {}, .high = {}});
  for (int64_t h = 0; h < H; ++h) {
    const auto step = rows.step(n, h);
    out.values.push_back(scaling.original(step[0]));
    for (size_t k = 0; k < rows.intervals.size(); ++k) {
      out.bands[k].low.push_back(scaling.original(step[1 + rows.levels.size() + 2 * k]));
      out.bands[k].high.push_back(scaling.original(step[2 + rows.levels.size() + 2 * k]));
    }
  }
  return out;
}

std::vector<std::string> stamps(const SplitTable& table, const data::Series& of, int64_t begin, int64_t end) {
  std::vector<std::string> out;
  for (int64_t t = begin; t < end; ++t) out.push_back(table.stamp(of, t));
  return out;
}

// Rows of weights over the history, neighbouring ones averaged where there are many.
std::vector<viz::Chart::Strip> strips_of(const Tensor& all, bool by_step, int64_t horizon) {
  const Tensor weights = by_step ? all.rows(0, horizon) : all;
  const int64_t rows = weights.dim(0), n = weights.dim(1), groups = std::min(rows, kMostStrips);
  std::vector<viz::Chart::Strip> out;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t begin = g * rows / groups, end = (g + 1) * rows / groups;
    std::string name = by_step ? str_cat("step ", begin + 1) : rows > 1 ? str_cat("hop ", begin + 1) : "attention";
    if (end - begin > 1) name = str_cat("steps ", begin + 1, "-", end);
    viz::Chart::Strip& strip = out.emplace_back(viz::Chart::Strip{.name = std::move(name), .weights = {}});
    for (int64_t t = 0; t < n; ++t) {
      double sum = 0;
      for (int64_t r = begin; r < end; ++r) sum += weights.data<float>()[r * n + t];
      strip.weights.push_back(sum / static_cast<double>(end - begin));
    }
  }
  return out;
}

void add_bars(const char* group, const std::vector<ForecastVariable>& variables, const Tensor& weights,
              std::vector<viz::Chart::Bar>& out) {
  if (weights.empty()) return;
  for (size_t k = 0; k < variables.size(); ++k)
    out.push_back({.group = group, .name = variables[k].name, .value = weights.data<float>()[k]});
}

}  // namespace

viz::Chart forecast_chart(const SplitTable& table, size_t series, const ForecastRows& rows, int64_t horizon,
                          int64_t history, const Forecaster& model, const LookedAt& looked) {
  const SplitSeries& s = table.series[series];
  const int64_t n = std::min(history, s.series.size()), begin = s.series.size() - n;
  viz::Chart out{.x = {"time", stamps(table, s.series, begin, s.series.size() + horizon)},
                 .title = "Forecast of " + s.series.id};
  viz::Chart::Line forecast = forecast_line(rows, 0, horizon, s.scaling, n);
  out.panels.push_back({.name = s.series.id,
                        .lines = {{.name = "known", .values = values_between(s, begin, s.series.size())}, forecast}});
  out.rules.push_back({.position = n, .name = "forecast"});
  if (!looked.weights.empty()) {
    // A row for each step of the horizon, or for each hop.
    const bool by_step = looked.weights[0].dim(0) == model.sizes().horizon;
    out.strips = strips_of(looked.weights[0], by_step, horizon);
    // Segments may begin before the series does.
    const int64_t padded = looked.weights[0].dim(1) - n;
    for (viz::Chart::Strip& strip : out.strips)
      if (padded > 0) strip.weights.erase(strip.weights.begin(), strip.weights.begin() + padded);
  }
  out.weight_name = "attention";
  add_bars("past", model.sizes().past, looked.past, out.bars);
  add_bars("future", model.sizes().future, looked.future, out.bars);
  add_bars("static", model.sizes().fixed, looked.fixed, out.bars);
  return out;
}

viz::Chart backtest_chart(const SplitTable& table, std::span<const ForecastWindows::Window> windows,
                          const ForecastRows& rows, int64_t horizon, size_t series) {
  const SplitSeries& s = table.series[series];
  // The last ones that do not overlap.
  std::vector<size_t> shown;
  for (size_t k = windows.size(); k-- > 0 && std::ssize(shown) < kMostForecasts;)
    if (static_cast<size_t>(windows[k].series) == series &&
        (shown.empty() || windows[k].origin + horizon <= windows[shown.back()].origin))
      shown.push_back(k);
  check<FormatError>(!shown.empty(), "series '", s.series.id, "' is too short for a forecast to be drawn");
  const int64_t first = windows[shown.back()].origin, end = windows[shown.front()].origin + horizon,
                begin = std::max<int64_t>(0, first - horizon);
  viz::Chart out{.x = {"time", stamps(table, s.series, begin, end)}, .title = "Back-test of " + s.series.id};
  viz::Chart::Panel& panel = out.panels.emplace_back(viz::Chart::Panel{.name = s.series.id, .lines = {}});
  panel.lines.push_back({.name = "what came", .values = values_between(s, begin, end)});
  for (size_t k = shown.size(); k-- > 0;) {
    const int64_t origin = windows[shown[k]].origin;
    panel.lines.push_back(forecast_line(rows, static_cast<int64_t>(shown[k]), horizon, s.scaling, origin - begin));
    out.rules.push_back({.position = origin - begin, .name = ""});
  }
  return out;
}

viz::Chart error_chart(const std::string& measure,
                       const std::vector<std::pair<std::string, std::vector<double>>>& errors) {
  viz::Chart out{.x = {"steps ahead", {}}, .title = "Error by steps ahead"};
  for (size_t h = 0; h < errors.at(0).second.size(); ++h) out.x.tokens.push_back(std::to_string(h + 1));
  viz::Chart::Panel& panel = out.panels.emplace_back(viz::Chart::Panel{.name = measure, .lines = {}});
  for (const auto& [name, values] : errors) panel.lines.push_back({.name = name, .values = values});
  return out;
}

}  // namespace lookback::tasks
