// How good forecasts of a part are, whoever made them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/metrics/forecast.h"
#include "lookback/tasks/forecast.h"

namespace lookback::tasks {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Behind the point: so many that a small score has four that count.
int digits_of(double score) {
  int digits = 4;
  for (double x = std::abs(score); 0 < x && x < 0.1 && digits < 12; x *= 10) ++digits;
  return digits;
}

// What came after some windows, and what was forecast.
struct Scored {
  const SplitTable& table;
  Split split;
  std::span<const ForecastWindows::Window> windows;
  const ForecastRows& rows;
  std::vector<std::vector<double>> values;  // of each series, NaN where not known
  bool is_scaled;

  // Those of a horizon, with the columns of the quantiles, or those of the intervals' ends, low ones first.
  std::vector<metrics::ForecastWindow> of_horizon(int64_t H, bool intervals) const {
    std::vector<size_t> columns;
    const size_t Q = rows.levels.size(), I = rows.intervals.size();
    for (size_t k = 0; !intervals && k < Q; ++k) columns.push_back(1 + k);
    for (size_t k = I; intervals && k-- > 0;) columns.push_back(1 + Q + 2 * k);
    for (size_t k = 0; intervals && k < I; ++k) columns.push_back(1 + Q + 2 * k + 1);
    std::vector<metrics::ForecastWindow> out;
    for (size_t n = 0; n < windows.size(); ++n) {
      const auto [which, origin] = windows[n];
      const SplitSeries& s = table.series[static_cast<size_t>(which)];
      if (origin + H > s.end(split)) continue;
      const Scaling scaling = is_scaled ? Scaling() : s.scaling;
      const std::vector<double>& y = values[static_cast<size_t>(which)];
      metrics::ForecastWindow& w =
          out.emplace_back(metrics::ForecastWindow{.series = which,
                                                   .actual = {y.begin() + origin, y.begin() + origin + H},
                                                   .point = {},
                                                   .quantiles = {},
                                                   .samples = {},
                                                   .history = std::span(y).first(static_cast<size_t>(origin))});
      const auto value = [&](int64_t h, size_t column) {
        return scaling.original(rows.step(static_cast<int64_t>(n), h)[column]);
      };
      for (int64_t h = 0; h < H; ++h) w.point.push_back(value(h, 0));
      for (const size_t column : columns)
        for (int64_t h = 0; h < H; ++h) w.quantiles.push_back(value(h, column));
    }
    return out;
  }

  std::vector<double> interval_levels() const {
    std::vector<double> out;
    for (size_t k = rows.intervals.size(); k-- > 0;) out.push_back(low_level(rows.intervals[k]));
    for (const double percent : rows.intervals) out.push_back(high_level(percent));
    return out;
  }
};

Scored scored_of(const SplitTable& table, Split split, const ForecastData& options,
                 std::span<const ForecastWindows::Window> windows, const ForecastRows& rows) {
  Scored out{.table = table,
             .split = split,
             .windows = windows,
             .rows = rows,
             .values = {},
             .is_scaled = options.units == "scaled"};
  for (const SplitSeries& s : table.series) {
    auto& values = out.values.emplace_back(out.is_scaled ? s.scaled : s.series.values);
    for (size_t t = 0; t < values.size(); ++t)
      if (!s.series.known[t]) values[t] = kNone;
  }
  return out;
}

std::string signature_of(const ForecastData& options, int64_t horizon, int64_t windows, int64_t season) {
  return str_cat("horizon:", horizon, "|windows:", windows, "|stride:", options.stride, "|units:", options.units,
                 "|season:", season);
}

// Of the points and quantiles. Of intervals that were asked for, those alone are scored.
StringList names_of(const ForecastData& options, const ForecastRows& rows) {
  StringList out{"mse", "mae"};
  if (options.units == "original")
    for (const char* name : {"rmse", "mape", "smape", "mase", "rmsse"}) out.emplace_back(name);
  if (rows.levels.empty()) return out;
  out.emplace_back("wql"), out.emplace_back("crps_quantiles");
  for (const char* name : {"coverage", "width"})
    for (const double low : rows.levels)
      if (low < 0.5 && rows.intervals.empty() && find_level(rows.levels, 1 - low) < rows.levels.size())
        out.push_back(str_cat(name, "[", 100 - 200 * low, "]"));
  return out;
}

// Lines of cells, the first one at its left end and the others at their right.
std::string aligned(const std::vector<StringList>& rows) {
  std::vector<size_t> widths;
  for (const StringList& row : rows)
    for (size_t k = 0; k < row.size(); ++k) {
      widths.resize(std::max(widths.size(), k + 1));
      widths[k] = std::max(widths[k], row[k].size());
    }
  std::string out;
  for (const StringList& row : rows) {
    for (size_t k = 0; k < row.size(); ++k) {
      const std::string fill(widths[k] - row[k].size(), ' ');
      out += k ? "  " + fill + row[k] : row[k] + fill;
    }
    out += "\n";
  }
  return out;
}

// Adds columns to a table with a row for each step or each series.
void add_columns(const metrics::ForecastReport& report, const SplitTable& table, const std::string& by,
                 const StringList& names, std::vector<StringList>& rows) {
  std::vector<std::pair<std::string, const metrics::ForecastScores*>> keys;
  for (size_t h = 0; by == "step" && h < report.by_step.size(); ++h)
    keys.emplace_back(std::to_string(h + 1), &report.by_step[h]);
  if (by == "series")
    for (const auto& [k, scores] : report.by_series)
      keys.emplace_back(table.series[static_cast<size_t>(k)].series.id, &scores);
  if (rows.empty()) {
    rows.push_back({by});
    for (const auto& key : keys) rows.push_back({key.first});
  }
  for (const std::string& name : names) {
    if (!report.at(name).value) continue;
    rows[0].push_back(name);
    for (size_t k = 0; k < keys.size(); ++k) {
      const auto value = keys[k].second->scores[report.find(name)].value;
      rows[k + 1].push_back(value ? fixed(*value, digits_of(*value)) : "-");
    }
  }
}

StringList names_of_intervals(const ForecastRows& rows) {
  StringList out;
  for (const char* name : {"coverage", "width"})
    for (const double percent : rows.intervals) out.push_back(str_cat(name, "[", percent, "]"));
  return out;
}

}  // namespace

std::vector<ForecastWindows::Window> windows_to_score(const SplitTable& table, Split split,
                                                      const ForecastData& options) {
  const int64_t horizon = options.horizon_list().front();
  std::vector<ForecastWindows::Window> out;
  for (size_t k = 0; k < table.series.size(); ++k) {
    const SplitSeries& s = table.series[k];
    for (int64_t t = std::max<int64_t>(1, s.begin(split)); t + horizon <= s.end(split); t += options.stride)
      out.push_back({static_cast<int64_t>(k), t});
  }
  return out;
}

EvaluationReport score_part(const SplitTable& table, Split split, const ForecastData& options,
                            const ForecastFrom& forecast, const TaskModel::Evaluation& what) {
  const auto horizons = options.horizon_list();
  const auto windows = windows_to_score(table, split, options);
  check<FormatError>(!windows.empty(), "no series has ", horizons.front(), " values in its ",
                     split == Split::test ? "test" : "validation", " part, for data.horizons = ", horizons.front());
  const ForecastRows rows = forecast(windows);
  const Scored scored = scored_of(table, split, options, windows, rows);
  EvaluationReport result;
  std::vector<StringList> rows_by;
  std::vector<EvaluationLine> out;
  std::map<std::string, double> sums;
  StringList order;
  for (const int64_t H : horizons) {
    const auto add = [&](bool intervals, const StringList& names) {
      const auto chosen = scored.of_horizon(H, intervals);
      check<FormatError>(!chosen.empty(), "no series has ", H, " values in its ",
                         split == Split::test ? "test" : "validation", " part, for data.horizons = ", H);
      const metrics::ForecastScoring scoring{.levels = intervals ? scored.interval_levels() : rows.levels,
                                             .seasonality = table.season()};
      const auto report = metrics::score_forecasts(chosen, scoring);
      for (const std::string& name : names) {
        const auto& score = report.at(name);
        if (!score.value) continue;  // it has nothing to be divided by
        if (!sums.contains(name)) order.push_back(name);
        sums[name] += *score.value / static_cast<double>(horizons.size());
        EvaluationLine line{.name = horizons.size() > 1 ? str_cat(name, "_", H) : name,
                            .value = *score.value,
                            .signature = signature_of(options, H, std::ssize(chosen), table.season()),
                            .digits = digits_of(*score.value)};
        if (what.resamples)
          line.interval = metrics::forecast_interval(chosen, scoring, name, {.samples = what.resamples});
        out.push_back(std::move(line));
      }
      if (!what.by.empty() && H == horizons.back()) add_columns(report, table, what.by, names, rows_by);
    };
    add(false, names_of(options, rows));
    if (!rows.intervals.empty()) add(true, names_of_intervals(rows));
  }
  for (const std::string& name : order)
    if (horizons.size() > 1)
      result.lines.push_back(
          {.name = name, .value = sums[name], .signature = "mean over horizons", .digits = digits_of(sums[name])});
  std::ranges::move(out, std::back_inserter(result.lines));
  if (!what.by.empty()) result.table = aligned(rows_by);
  return result;
}

std::vector<double> errors_by_step(const SplitTable& table, Split split, const ForecastData& options,
                                   const ForecastFrom& forecast) {
  const auto windows = windows_to_score(table, split, options);
  const ForecastRows rows = forecast(windows);
  const Scored scored = scored_of(table, split, options, windows, rows);  // to which windows point
  const auto chosen = scored.of_horizon(options.longest_horizon(), false);
  const auto report = metrics::score_forecasts(chosen, {.levels = rows.levels, .seasonality = 1});
  std::vector<double> out;
  for (const auto& step : report.by_step) out.push_back(step.scores[report.find("mae")].value.value_or(kNone));
  return out;
}

}  // namespace lookback::tasks
