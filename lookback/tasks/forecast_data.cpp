#include "lookback/tasks/forecast_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/data/csv.h"
#include "lookback/tasks/csv_input.h"

namespace lookback::tasks {
namespace {

using data::Series;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kMaxScalesBytes = int64_t{1} << 30;

// The stamp of value k of a series; of a table without a frequency none has more than one value.
data::Stamp stamp_of(const Series& series, const std::optional<data::Frequency>& frequency, int64_t k) {
  return k && frequency ? data::advance(series.start, *frequency, k) : series.start + k;
}

// How many values of a series are before a stamp.
int64_t values_before(data::Stamp stamp, const Series& series, const std::optional<data::Frequency>& frequency) {
  int64_t low = 0, high = series.size();
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    stamp_of(series, frequency, middle) < stamp ? low = middle + 1 : high = middle;
  }
  return low;
}

// How many values of a series are before what a recipe says.
int64_t place(const Series& series, const data::SeriesTable& table, const char* key, const std::string& text) {
  if (const auto percent = percent_of(text); percent && 0 <= *percent && *percent <= 100)
    return static_cast<int64_t>(std::floor(*percent / 100 * static_cast<double>(series.size())));
  if (const auto count = parse_number<int64_t>(text)) return std::clamp<int64_t>(*count, 0, series.size());
  data::ParsedStamp stamp = data::parse_stamp(text, table.style);
  // A day alone, where stamps have times, is its midnight.
  for (const char* midnight : {" 00:00:00", "T00:00:00", " 00:00", "T00:00", "T00:00:00Z"})
    if (!stamp.why.empty())
      if (const auto day = data::parse_stamp(text + midnight, table.style); day.why.empty()) stamp = day;
  check<ConfigError>(stamp.why.empty(), key, " = '", text, "' is no number of values, no part (60 %) and no time like ",
                     data::style_pattern(table.style), ": ", stamp.why);
  return values_before(stamp.stamp, series, table.frequency);
}

// What a spread is that numbers are divided by: 1 where they are all alike.
double divisor(double spread, double centre) {
  return spread < 1e-12 * std::max(1e-300, std::abs(centre)) || spread == 0 ? 1 : spread;
}

}  // namespace

void ForecastData::validate() const {
  check<ConfigError>(!train.empty(), "data.train is missing: the tables of the series");
  check<ConfigError>(!horizons.empty(), "data.horizons is empty");
  for (const std::string& h : horizons)
    check<ConfigError>(parse_number<int64_t>(h).value_or(0) >= 1 && *parse_number<int64_t>(h) <= 1'000'000,
                       "data.horizons: '", h, "' is no number of steps");
}

std::vector<int64_t> ForecastData::horizon_list() const {
  std::vector<int64_t> out;
  for (const std::string& h : horizons) out.push_back(*parse_number<int64_t>(h));
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

StringList ForecastData::files(const std::string& root) const {
  StringList out;
  for (const auto& part : rows_of(train, "data.train", {"table"}, {.columns = {"table"}}, root).parts)
    out.push_back(part[0]);
  return out;
}

double quantile_of_sorted(std::span<const double> x, double level) {
  const double at = level * static_cast<double>(x.size() - 1);
  const auto low = static_cast<size_t>(std::floor(at));
  return low + 1 < x.size() ? x[low] + (at - std::floor(at)) * (x[low + 1] - x[low]) : x[low];
}

void Moments::add(double x) {
  const double before = x - mean;
  mean += before / ++count;
  squares += before * (x - mean);
}

double Moments::deviation() const { return count > 0 ? std::sqrt(std::max(0.0, squares / count)) : 0; }

Scaling scaling_of(const Series& series, int64_t count, const std::string& kind) {
  std::vector<double> x;
  for (int64_t t = 0; t < std::min(count, series.size()); ++t)
    if (series.known[static_cast<size_t>(t)]) x.push_back(series.values[static_cast<size_t>(t)]);
  Scaling out;
  if (x.empty() || kind == "none") return out;
  const auto n = static_cast<double>(x.size());
  if (kind == "mean") {
    double sum = 0;
    for (const double v : x) sum += std::abs(v) / n;
    out.spread = sum;
  } else if (kind == "robust") {
    std::ranges::sort(x);
    out.centre = quantile_of_sorted(x, 0.5);
    out.spread = (quantile_of_sorted(x, 0.75) - quantile_of_sorted(x, 0.25)) / 1.3489795003921634;
  } else {
    double sum = 0, squares = 0;
    for (const double v : x) sum += v / n;
    for (const double v : x) squares += (v - sum) * (v - sum) / n;
    out = {sum, std::sqrt(squares)};
  }
  check<NumericError>(std::isfinite(out.centre) && std::isfinite(out.spread), "series '", series.id,
                      "': its values are too large to be scaled");
  out.spread = divisor(out.spread, out.centre);
  return out;
}

std::string write_scales(const Scales& scales) {
  std::string out = "unique_id,centre,spread,until\n";
  for (const auto& [id, s] : scales)
    out += str_cat(csv_cell(id), ",", io::json_number(s.scaling.centre), ",", io::json_number(s.scaling.spread), ",",
                   s.until, "\n");
  return out;
}

Scales read_scales(const io::ModelFolder& folder, const std::string& name) {
  const std::string text = folder.read(name, kMaxScalesBytes);
  Scales out;
  size_t at = 0;
  int64_t number = 0;
  const auto next = [&](std::string& line) {
    if (at >= text.size()) return false;
    const size_t end = std::min(text.find('\n', at), text.size());
    line = text.substr(at, end - at);
    at = end + 1, ++number;
    return true;
  };
  std::vector<std::string> cells;
  for (std::string line; next(line);) {
    const int64_t begin = number;
    const std::string why = data::parse_csv(std::move(line), next, cells);
    if (begin == 1) continue;
    Scaling scaling{kNone, kNone};
    std::optional<data::Stamp> until;
    if (why.empty() && cells.size() == 4) {
      scaling = {parse_number<double>(cells[1]).value_or(kNone), parse_number<double>(cells[2]).value_or(kNone)};
      until = parse_number<data::Stamp>(cells[3]);
    }
    check<FormatError>(std::isfinite(scaling.centre) && std::isfinite(scaling.spread) && scaling.spread > 0 && until,
                       folder.path_of(name), ":", begin, ": not the id, centre, spread and end of a series");
    out[cells[0]] = {scaling, *until};
  }
  return out;
}

SplitTable split_series(data::SeriesTable table, const ForecastData& options, const Scales& scales) {
  SplitTable out{.series = {},
                 .past = table.past,
                 .future = table.future,
                 .fixed = table.fixed,
                 .frequency = table.frequency,
                 .style = table.style,
                 .report = table.report};
  int64_t learnt = 0;
  for (Series& series : table.series) {
    SplitSeries s;
    s.valid_from = place(series, table, "data.valid_from", options.valid_from);
    s.test_from = place(series, table, "data.test_from", options.test_from);
    s.test_to = place(series, table, "data.test_to", options.test_to);
    check<ConfigError>(s.valid_from <= s.test_from && s.test_from <= s.test_to,
                       "data.valid_from = ", options.valid_from, ", data.test_from = ", options.test_from,
                       " and data.test_to = ", options.test_to, " are not one after the other");
    const auto known = scales.find(series.id);
    s.scaling = known == scales.end() ? scaling_of(series, s.valid_from, options.scale) : known->second.scaling;
    if (known != scales.end()) s.learnt = values_before(known->second.until, series, table.frequency);
    for (const double x : series.values) s.scaled.push_back(s.scaling.scaled(x));
    learnt += s.valid_from;
    s.series = std::move(series);
    out.series.push_back(std::move(s));
  }
  check<FormatError>(learnt > 0, "data.valid_from = ", options.valid_from, " leaves nothing to learn from");
  return out;
}

Scales scales_of(const SplitTable& table) {
  Scales out;
  for (const SplitSeries& s : table.series)
    out[s.series.id] = {s.scaling, stamp_of(s.series, table.frequency, s.valid_from)};
  return out;
}

SplitTable read_split(const ForecastData& options, const std::string& root, const Scales& scales) {
  return split_series(data::read_series(options.files(root), options.series), options, scales);
}

namespace {

constexpr int64_t kMostCategories = 1000;

// `values` calls what it is given with each value that training knows.
template <class Values>
ForecastColumn learn_column(const data::SeriesColumn& column, Values&& values) {
  ForecastColumn out{.name = column.name, .categorical = column.categorical, .names = {}};
  if (!column.categorical) {
    Moments moments;
    values([&](double x) { moments.add(x); });
    check<NumericError>(std::isfinite(moments.mean) && std::isfinite(moments.deviation()), "column '", column.name,
                        "': its values are too large to be scaled");
    out.centre = moments.mean, out.spread = divisor(moments.deviation(), moments.mean);
    return out;
  }
  std::vector<char> met(column.names.size());
  values([&](double x) {
    if (x >= 0) met[static_cast<size_t>(x)] = 1;
  });
  for (size_t k = 0; k < met.size(); ++k)
    if (met[k]) out.names.push_back(column.names[k]);
  check<ConfigError>(std::ssize(out.names) <= kMostCategories, "data.categorical: column '", column.name, "' has ",
                     out.names.size(), " names; ", kMostCategories, " are the most that are read");
  check<ConfigError>(!out.names.empty(), "data.categorical: column '", column.name, "' has no name in what is learnt");
  return out;
}

// Writes values of a column of a table as a model reads them.
class ColumnWriter {
 public:
  ColumnWriter(const ForecastColumn& column, const data::SeriesColumn& of_table) : column_(column) {
    for (const std::string& name : of_table.names) {
      const auto at = std::ranges::find(column.names, name);
      places_.push_back(at == column.names.end() ? -1 : at - column.names.begin());
    }
  }
  void operator()(double x, std::vector<float>& to) const {
    if (!column_.categorical) return to.push_back(static_cast<float>((x - column_.centre) / column_.spread));
    const int64_t place = x < 0 ? -1 : places_[static_cast<size_t>(x)];
    for (int64_t k = 0; k < column_.width(); ++k) to.push_back(k == place ? 1.0f : 0.0f);
  }

 private:
  const ForecastColumn& column_;
  std::vector<int64_t> places_;  // of the table's names among the model's
};

std::vector<ColumnWriter> writers(const std::deque<ForecastColumn>& columns,
                                  const std::vector<data::SeriesColumn>& of_table) {
  check(columns.size() == of_table.size(), "forecast: a table of ", of_table.size(), " columns for a model of ",
        columns.size());
  std::vector<ColumnWriter> out;
  for (size_t k = 0; k < columns.size(); ++k) out.emplace_back(columns[k], of_table[k]);
  return out;
}

}  // namespace

ForecastVariables learn_variables(const SplitTable& table, bool calendar) {
  ForecastVariables out{.calendar = calendar, .past = {}, .future = {}, .fixed = {}};
  const auto steps = [&](std::vector<std::vector<double>> Series::*columns, size_t k) {
    return [&table, columns, k](auto&& f) {
      for (const SplitSeries& s : table.series)
        for (int64_t t = 0; t < s.valid_from; ++t) f((s.series.*columns)[k][static_cast<size_t>(t)]);
    };
  };
  for (size_t k = 0; k < table.past.size(); ++k)
    out.past.push_back(learn_column(table.past[k], steps(&Series::past, k)));
  for (size_t k = 0; k < table.future.size(); ++k)
    out.future.push_back(learn_column(table.future[k], steps(&Series::future, k)));
  for (size_t k = 0; k < table.fixed.size(); ++k)
    out.fixed.push_back(learn_column(table.fixed[k], [&](auto&& f) {
      for (const SplitSeries& s : table.series)
        if (s.valid_from > 0) f(s.series.fixed[k]);
    }));
  return out;
}

VariableNames names_of_variables(const std::optional<data::Frequency>& frequency, const ForecastVariables& variables) {
  VariableNames out{.past = {{"y", 2}}, .future = {}, .fixed = {}};
  if (frequency && variables.calendar)
    for (const data::CalendarFeature f : data::calendar_features(*frequency))
      out.future.push_back({std::string(data::feature_name(f))});
  for (const ForecastColumn& c : variables.past) out.past.push_back({c.name, c.width()});
  for (const ForecastColumn& c : variables.future) out.future.push_back({c.name, c.width()});
  for (const ForecastColumn& c : variables.fixed) out.fixed.push_back({c.name, c.width()});
  out.past.insert(out.past.end(), out.future.begin(), out.future.end());
  return out;
}

SeriesVariables variables_of(const SplitTable& table, size_t k, const ForecastVariables& variables, int64_t horizon) {
  const Series& series = table.series[k].series;
  const auto past = writers(variables.past, table.past), future = writers(variables.future, table.future),
             fixed = writers(variables.fixed, table.fixed);
  const auto features = table.frequency && variables.calendar ? data::calendar_features(*table.frequency)
                                                              : std::vector<data::CalendarFeature>();
  SeriesVariables out;
  for (size_t c = 0; c < fixed.size(); ++c) fixed[c](series.fixed[c], out.fixed);
  data::Stamp stamp = series.start;
  const int64_t known = series.size() + series.ahead;
  for (int64_t t = 0; t < series.size() + horizon; ++t) {
    if (t && !features.empty()) stamp = data::advance(stamp, *table.frequency, 1);
    const size_t begin = out.future.size();
    for (const data::CalendarFeature f : features)
      out.future.push_back(static_cast<float>(data::feature_value(f, stamp)));
    for (size_t c = 0; c < future.size(); ++c)
      future[c](series.future[c][static_cast<size_t>(std::min(t, known - 1))], out.future);
    if (t >= series.size()) continue;
    for (size_t c = 0; c < past.size(); ++c) past[c](series.past[c][static_cast<size_t>(t)], out.past);
    out.past.insert(out.past.end(), out.future.begin() + static_cast<std::ptrdiff_t>(begin), out.future.end());
  }
  out.P = std::ssize(out.past) / series.size();
  out.F = std::ssize(out.future) / (series.size() + horizon);
  return out;
}

ForecastBatch read_windows(std::span<const SplitSeries> series, std::span<const SeriesVariables> variables,
                           std::span<const ForecastWindows::Window> windows, int64_t history, int64_t horizon) {
  const int64_t B = std::ssize(windows), L = history, H = horizon, P = variables[0].P, F = variables[0].F,
                S = std::ssize(variables[0].fixed);
  ForecastBatch out{.lengths = {},
                    .history = Tensor({B, L}),
                    .known = Tensor::zeros({B, L}),
                    .past = P ? Tensor::zeros({B * L, P}) : Tensor(),
                    .future = F ? Tensor({B * H, F}) : Tensor(),
                    .fixed = S ? Tensor({B, S}) : Tensor(),
                    .targets = {}};
  for (int64_t b = 0; b < B; ++b) {
    const auto [which, origin] = windows[static_cast<size_t>(b)];
    const SplitSeries& s = series[static_cast<size_t>(which)];
    const SeriesVariables& v = variables[static_cast<size_t>(which)];
    const int64_t n = std::min(L, origin);
    out.lengths.push_back(n);
    float *const values = out.history.data<float>() + b * L, *const known = out.known.data<float>() + b * L;
    // Before its first value a series is taken to have been there.
    std::fill_n(values, L - n, static_cast<float>(s.scaled[0]));
    for (int64_t t = 0; t < n; ++t) {
      const auto from = static_cast<size_t>(origin - n + t);
      values[L - n + t] = static_cast<float>(s.scaled[from]);
      known[L - n + t] = s.series.known[from] ? 1.0f : 0.0f;
    }
    if (P) std::copy_n(v.past.begin() + (origin - n) * P, n * P, out.past.data<float>() + (b * L + L - n) * P);
    if (F) std::copy_n(v.future.begin() + origin * F, H * F, out.future.data<float>() + b * H * F);
    if (S) std::copy_n(v.fixed.begin(), S, out.fixed.data<float>() + b * S);
  }
  return out;
}

ForecastWindows::ForecastWindows(SplitTable table, const ForecastVariables& variables, const ForecastData& options,
                                 Split split)
    : table_(std::move(table)), options_(options), split_(split) {
  const int64_t H = options.longest_horizon();
  for (size_t k = 0; k < table_.series.size(); ++k) {
    const SplitSeries& s = table_.series[k];
    variables_.push_back(variables_of(table_, k, variables, H));
    const int64_t begin = std::max<int64_t>(1, s.begin(split)), end = s.end(split);
    const auto known = [&](int64_t t) { return s.series.known[static_cast<size_t>(t)] != 0; };
    if (split == Split::train) {
      for (int64_t t = std::max(begin, std::min(options.history, end - 1)); t < end; ++t) {
        bool any = false;
        for (int64_t h = t; h < std::min(end, t + H) && !any; ++h) any = known(h);
        if (any) windows_.push_back({static_cast<int64_t>(k), t});
      }
      continue;
    }
    for (int64_t t = begin; t + H <= end; t += options.stride) windows_.push_back({static_cast<int64_t>(k), t});
    if (begin < end && begin + H > end) windows_.push_back({static_cast<int64_t>(k), begin});
  }
}

std::vector<int32_t> ForecastWindows::lengths() const {
  std::vector<int32_t> out;
  for (const Window& w : windows_) out.push_back(static_cast<int32_t>(std::min(options_.history, w.origin)));
  return out;
}

std::optional<double> ForecastWindows::value(const Window& window, int64_t h) const {
  const SplitSeries& s = table_.series[static_cast<size_t>(window.series)];
  const int64_t t = window.origin + h;
  if (t >= s.end(split_) || !s.series.known[static_cast<size_t>(t)]) return {};
  return s.scaled[static_cast<size_t>(t)];
}

ForecastWindows::Batch ForecastWindows::batch(std::vector<int64_t> index) const {
  std::vector<Window> windows;
  for (const int64_t k : index) windows.push_back(window(k));
  const int64_t B = std::ssize(windows), H = options_.longest_horizon();
  Batch out{.index = std::move(index), .values = read_windows(table_.series, variables_, windows, options_.history, H)};
  out.values.targets = Tensor::full({B, H}, std::numeric_limits<double>::quiet_NaN(), Dtype::f32);
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h)
      if (const auto y = value(windows[static_cast<size_t>(b)], h)) {
        out.values.targets.data<float>()[b * H + h] = static_cast<float>(*y);
        ++out.targets;
      }
  return out;
}

}  // namespace lookback::tasks
