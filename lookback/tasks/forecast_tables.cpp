// Forecasts of whole tables: what comes next, what would have been said before, and how good that was.
#include <algorithm>
#include <cmath>
#include <map>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/io/json.h"
#include "lookback/tasks/csv_input.h"
#include "lookback/tasks/forecast.h"
#include "lookback/tasks/forecast_charts.h"

namespace lookback::tasks {
namespace {

using Window = ForecastWindows::Window;

std::string name_of(const std::string& file) { return file == "-" ? "standard input" : file; }

void check_format(const std::string& command, std::string_view format) {
  check<ConfigError>(format == "csv" || format == "jsonl", command, ": --format of a forecast is csv or jsonl, not ",
                     format);
}

// A table as a model reads it.
struct ModelTable {
  SplitTable table;
  std::vector<SeriesVariables> variables;

  ForecastRows forecast(Forecast::Networks networks, std::span<const Window> windows,
                        const Forecast::Options& options) const {
    return forecast_rows(networks, table.series, variables, windows, options);
  }
};

ModelTable model_table(const Forecast::Network& network, SplitTable table) {
  ModelTable out{std::move(table), {}};
  for (size_t k = 0; k < out.table.series.size(); ++k)
    out.variables.push_back(variables_of(out.table, k, network.config.variables, network.config.horizon));
  return out;
}

// Throws FormatError for another frequency than that of the model.
data::SeriesTable read_table(const Forecast::Network& network, const StringList& files) {
  const Forecast::Config& c = network.config;
  data::SeriesTable table = data::read_series(files, c.series);
  const std::string frequency = table.frequency ? data::frequency_alias(*table.frequency) : c.frequency;
  check<FormatError>(frequency == c.frequency, name_of(files[0]), ": its values are ", frequency,
                     " apart, those that the model learnt from ", c.frequency);
  if (!table.frequency && !frequency.empty()) table.frequency = data::parse_frequency(frequency);
  return table;
}

// Series that the model does not know are scaled by what they have before `from`.
ModelTable model_table(const Forecast::Network& network, data::SeriesTable table, const std::string& from) {
  ForecastData data;
  data.series = network.config.series, data.scale = network.config.scale;
  data.valid_from = data.test_from = from;
  return model_table(network, split_series(std::move(table), data, network.scales));
}

int64_t horizon_of(const Forecast::Network& network, const Forecast::Options& options) {
  return options.horizon ? options.horizon : network.config.horizon;
}

// "": the first one.
size_t find_series(const SplitTable& table, const std::string& id, const std::string& command) {
  if (id.empty()) return 0;
  StringList ids;
  for (size_t k = 0; k < table.series.size(); ++k) {
    if (table.series[k].series.id == id) return k;
    ids.push_back(table.series[k].series.id);
  }
  throw ConfigError(command + ": --series " + id + ": the table has no such series" + nearest_match(id, ids));
}

// "mean", "q0.1", ..., "lo-80", "hi-80", ...
StringList column_names(const ForecastRows& rows) {
  StringList out{"mean"};
  for (const double level : rows.levels) out.push_back("q" + io::json_number(level));
  for (const double percent : rows.intervals) {
    out.push_back("lo-" + io::json_number(percent));
    out.push_back("hi-" + io::json_number(percent));
  }
  return out;
}

// Lines of forecasts in the long form.
class RowWriter {
 public:
  RowWriter(std::string_view format, StringList keys, StringList columns)
      : csv_(format == "csv"), keys_(std::move(keys)), columns_(std::move(columns)) {
    if (!csv_) return;
    for (const StringList& names : {keys_, columns_})
      for (const std::string& name : names) text_ += (text_.empty() ? "" : ",") + name;
    text_ += "\n";
  }

  // `keys` as the names say; `values` may begin with what is not known, NaN.
  void add(const StringList& keys, std::span<const double> values) {
    if (csv_) {
      for (const std::string& key : keys) text_ += csv_cell(key) + ",";
      for (size_t k = 0; k < values.size(); ++k)
        text_ += (k ? "," : "") + (std::isnan(values[k]) ? "" : io::json_number(values[k]));
    } else {
      io::JsonObject row;
      for (size_t k = 0; k < keys.size(); ++k) row.add(keys_[k], keys[k]);
      for (size_t k = 0; k < values.size(); ++k) row.add(columns_[k], values[k]);
      text_ += row.text();
    }
    text_ += "\n";
  }
  std::string take() { return std::move(text_); }

 private:
  bool csv_;
  StringList keys_, columns_;
  std::string text_;
};

// Steps of the validation part of what a model learnt from, in its longest series.
int64_t validation_steps(const DataOfRun<ForecastData>& run) {
  check<ConfigError>(!run.data.train.empty(),
                     "backtest: --refit: the model's folder does not say how long its validation part was");
  const SplitTable table = read_split(run.data, run.root);
  int64_t out = 0;
  for (const SplitSeries& s : table.series) out = std::max(out, s.test_from - s.valid_from);
  return out;
}

// Forecasts of windows whose networks were trained anew on the way, scaled as `all` is, which is of `read`.
ForecastRows refitted(const ModelTable& all, std::span<const Window> windows, const data::SeriesTable& read,
                      const std::string& start, const TaskModel::Backtest& what, int64_t validation,
                      const Forecast::TrainAnew& train, const Forecast::Options& options) {
  const auto& table = all.table;
  const auto count = parse_number<int64_t>(start);
  check<ConfigError>(count || !percent_of(start),
                     "backtest: --refit needs --start as a time or a number of values, not ", start);
  const auto longest =
      std::ranges::max_element(table.series, {}, [](const SplitSeries& s) { return s.test_to - s.test_from; });
  // After so many steps, as data.test_from says it.
  const auto place = [&](int64_t steps) {
    return count ? std::to_string(*count + steps) : table.stamp(longest->series, longest->test_from + steps);
  };
  const int64_t steps = what.refit_every * what.stride, before = count ? *count : longest->test_from;
  check<ConfigError>(validation < before, "backtest: --start ", start, ": of ", before, " values before it ",
                     validation, " would be for validation, as they were in training; nothing is left to learn from");
  std::map<int64_t, std::vector<size_t>> groups;
  for (size_t n = 0; n < windows.size(); ++n) {
    const SplitSeries& s = table.series[static_cast<size_t>(windows[n].series)];
    groups[(windows[n].origin - std::max<int64_t>(1, s.test_from)) / steps].push_back(n);
  }
  ForecastRows out;
  for (const auto& [group, members] : groups) {
    const std::string from = place(group * steps);
    const Forecast::Networks networks = train(place(group * steps - validation), from);
    const ModelTable now = model_table(*networks[0], read, from);
    std::vector<Window> chosen;
    for (const size_t n : members) chosen.push_back(windows[n]);
    const ForecastRows rows = now.forecast(networks, chosen, options);
    if (out.values.empty()) {
      out = rows;
      out.values.assign(windows.size() * static_cast<size_t>(rows.horizon) * rows.columns(), 0);
    }
    const size_t size = static_cast<size_t>(rows.horizon) * rows.columns();
    for (size_t k = 0; k < members.size(); ++k) {
      const auto which = static_cast<size_t>(chosen[k].series);
      const Scaling &from_scale = now.table.series[which].scaling, &to_scale = table.series[which].scaling;
      for (size_t i = 0; i < size; ++i)
        out.values[members[k] * size + i] = to_scale.scaled(from_scale.original(rows.values[k * size + i]));
    }
  }
  return out;
}

}  // namespace

std::string Forecast::predict_table(Networks networks, const std::string& file, std::string_view format,
                                    const Options& options) {
  check_format("predict", format);
  const ModelTable all = model_table(*networks[0], read_table(*networks[0], {file}), "100 %");
  const int64_t H = horizon_of(*networks[0], options);
  std::vector<Window> windows;
  for (const SplitSeries& s : all.table.series) {
    check<FormatError>(all.table.future.empty() || s.series.ahead >= H, name_of(file), ": series '", s.series.id,
                       "' has ", s.series.ahead, " of the ", H, " rows behind its last value that say ",
                       all.table.future.empty() ? "" : all.table.future[0].name, " of the steps to come (data.future)");
    windows.push_back({std::ssize(windows), s.series.size()});
  }
  const ForecastRows rows = all.forecast(networks, windows, options);
  RowWriter out(format, {"unique_id", "ds"}, column_names(rows));
  for (int64_t n = 0; n < rows.N(); ++n) {
    const SplitSeries& s = all.table.series[static_cast<size_t>(n)];
    for (int64_t h = 0; h < H; ++h) {
      std::vector<double> values;
      for (const double x : rows.step(n, h)) values.push_back(s.scaling.original(x));
      out.add({s.series.id, all.table.stamp(s.series, s.series.size() + h)}, values);
    }
  }
  return out.take();
}

viz::Figure Forecast::explain_table(Networks networks, const std::string& file, const std::string& series,
                                    const Options& options) {
  check<ConfigError>(networks.size() == 1, "explain: an ensemble of forecasters has no attention of its own");
  const Network& network = *networks[0];
  const ModelTable all = model_table(network, read_table(network, {file}), "100 %");
  const size_t which = find_series(all.table, series, "explain");
  const SplitSeries& s = all.table.series[which];
  const Window window{static_cast<int64_t>(which), s.series.size()};
  // The intervals that were calibrated, unless others are asked for.
  Options with_levels = options;
  if (options.levels.empty())
    for (const ConformalMargin& m : network.margins) with_levels.levels.push_back(io::json_number(m.percent));
  const int64_t H = horizon_of(network, options);
  const ForecastRows rows = all.forecast(networks, {&window, 1}, with_levels);
  LookedAt looked;
  if (!network.model->is_autoregressive())
    looked = network.model
                 ->forecast(read_windows(all.table.series, all.variables, {&window, 1}, network.config.history,
                                         network.config.horizon))
                 .looked;
  return forecast_chart(all.table, which, rows, H, network.config.history, *network.model, looked);
}

EvaluationReport Forecast::evaluate(Networks networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                    const Options& options) {
  auto run = read_data_of_run<ForecastData>(folder);
  if (!what.files.empty()) run.data.train = what.files, run.root = "";
  check<ConfigError>(!run.data.train.empty(),
                     "evaluate: --data FILE... is missing, and the model's folder does not say what it learnt from");
  const ModelTable all = model_table(*networks[0], read_split(run.data, run.root, networks[0]->scales));
  const ForecastRows rows = all.forecast(networks, windows_to_score(all.table, Split::test, run.data), options);
  const ForecastFrom forecast = [&](std::span<const Window>) { return rows; };
  EvaluationReport out = score_part(all.table, Split::test, run.data, forecast, what);
  if (!what.figure) return out;
  std::vector<std::pair<std::string, std::vector<double>>> errors{
      {"this model", errors_by_step(all.table, Split::test, run.data, forecast)}};
  for (const auto& [name, method] : naive_methods(all.table, run.data.longest_horizon()))
    errors.emplace_back(name, errors_by_step(all.table, Split::test, run.data, method));
  out.figure = error_chart(run.data.units == "scaled" ? "mean absolute error, scaled" : "mean absolute error", errors);
  return out;
}

TaskModel::BacktestReport Forecast::backtest(Networks networks, const io::ModelFolder& folder,
                                             const TaskModel::Backtest& what, const TrainAnew& train,
                                             const Options& options) {
  check_format("backtest", what.format);
  const auto run = read_data_of_run<ForecastData>(folder);
  check<ConfigError>(!run.data.train.empty() || (!what.file.empty() && !what.start.empty()),
                     "backtest: ", what.file.empty() ? "--in TABLE" : "--start",
                     " is missing, and the model's folder does not say what it learnt from");
  const std::string start = what.start.empty() ? run.data.test_from : what.start;
  const StringList files = what.file.empty() ? run.data.files(run.root) : StringList{what.file};
  const data::SeriesTable read = read_table(*networks[0], files);
  const ModelTable all = model_table(*networks[0], read, start);
  const int64_t H = horizon_of(*networks[0], options);
  ForecastData scoring;
  scoring.horizons = {std::to_string(H)}, scoring.stride = what.stride;
  const std::vector<Window> windows = windows_to_score(all.table, Split::test, scoring);
  check<FormatError>(!windows.empty(), "backtest: no series has ", H, " values from ", start, " on");
  const ForecastRows rows = what.refit_every
                                ? refitted(all, windows, read, start, what, validation_steps(run), train, options)
                                : all.forecast(networks, windows, options);
  TaskModel::BacktestReport out;
  out.scores = score_part(all.table, Split::test, scoring, [&](std::span<const Window>) { return rows; },
                          {.files = {}, .by = what.by});
  if (what.figure)
    out.scores.figure = backtest_chart(all.table, windows, rows, H, find_series(all.table, what.series, "backtest"));
  if (!what.rows) return out;
  StringList columns = column_names(rows);
  columns.insert(columns.begin(), "y");
  RowWriter text(what.format, {"unique_id", "cutoff", "ds"}, columns);
  for (int64_t n = 0; n < rows.N(); ++n) {
    const auto [which, origin] = windows[static_cast<size_t>(n)];
    const SplitSeries& s = all.table.series[static_cast<size_t>(which)];
    const std::string cutoff = all.table.stamp(s.series, origin - 1);
    for (int64_t h = 0; h < H; ++h) {
      std::vector<double> values{s.series.known_value(origin + h)};
      for (const double x : rows.step(n, h)) values.push_back(s.scaling.original(x));
      text.add({s.series.id, cutoff, all.table.stamp(s.series, origin + h)}, values);
    }
  }
  out.rows = text.take();
  return out;
}

}  // namespace lookback::tasks
