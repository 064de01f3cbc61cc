// Private to tasks: time series in parts by time, scaled, and cut into windows.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lookback/data/calendar_features.h"
#include "lookback/data/series_table.h"
#include "lookback/models/forecaster.h"
#include "lookback/tasks/data_options.h"

namespace lookback::tasks {

struct ForecastData {
  StringList train;
  data::SeriesOptions series;
  std::string valid_from = "60 %", test_from = "80 %", test_to = "100 %";
  int64_t history = 96;
  StringList horizons = {"24"};
  int64_t stride = 1;
  std::string scale = "standard", units = "original";
  bool calendar = true;

  void fields(FieldVisitor& v) {
    v("train", train, "tables of series, plain or .gz, CSV or TSV; * stands for any part of a file's name");
    series.fields(v);
    v("valid_from", valid_from,
      "where the validation part begins: after so many values of each series (8640), a part of them (60 %), or at a "
      "time (2017-07-01); before it is what training learns from");
    v("test_from", test_from, "where the test part begins, which training does not read; the same");
    v("test_to", test_to, "where it ends; the same");
    v("history", history, "values that a forecast is made from").range(2, 1e6);
    v("horizons", horizons, "steps ahead that are scored, each by itself; the model forecasts the most of them");
    v("stride", stride, "steps from one forecast that is scored to the next").range(1, 1e9);
    v("scale", scale,
      "each series, by what training knows of it: standard (mean 0, deviation 1), robust (median 0, quartiles as those "
      "of standard), mean (mean size 1) or none; undone in forecasts")
        .choices({"standard", "robust", "mean", "none"});
    v("calendar", calendar,
      "the time of each step, and of the steps to come, is read too: the hour of the day, the day of the week ..., by "
      "the frequency");
    v("units", units, "scores are of values as they are (original), or scaled, to compare with papers")
        .choices({"original", "scaled"});
  }

  // Throws ConfigError for what cannot be, before anything is read.
  void validate() const;
  std::vector<int64_t> horizon_list() const;  // ascending
  int64_t longest_horizon() const { return horizon_list().back(); }
  StringList files(const std::string& root) const;
};

// The level'th quantile of sorted numbers, at least one, between two of them in proportion (numpy's "linear").
double quantile_of_sorted(std::span<const double> x, double level);

// Mean and deviation of numbers that come one by one (Welford 1962).
struct Moments {
  double count = 0, mean = 0, squares = 0;

  void add(double x);
  double deviation() const;  // 0 without any
};

// value = centre + spread * scaled
struct Scaling {
  double centre = 0, spread = 1;

  bool operator==(const Scaling&) const = default;

  double scaled(double x) const { return (x - centre) / spread; }
  double original(double x) const { return centre + spread * x; }
};
// What a model keeps of a series that it learnt.
struct LearntSeries {
  Scaling scaling;
  data::Stamp until = 0;  // of its first value that was not learnt from: seconds since 1970, or a step

  bool operator==(const LearntSeries&) const = default;
};
// By their ids.
using Scales = std::map<std::string, LearntSeries, std::less<>>;
// "unique_id,centre,spread,until" and a line for each; reading throws FormatError and IoError.
std::string write_scales(const Scales& scales);
Scales read_scales(const io::ModelFolder& folder, const std::string& name);

// Of the known values among the first `count`. A series that does not change is moved alone. Throws NumericError for
// values whose squares leave double.
Scaling scaling_of(const data::Series& series, int64_t count, const std::string& kind);

// A series with its parts: training has values [0, valid_from), validation and test those from there on.
struct SplitSeries {
  data::Series series;
  int64_t valid_from = 0, test_from = 0, test_to = 0;
  int64_t learnt = 0;  // values at its beginning that the model learnt from whose `scales` it was split by
  Scaling scaling;
  std::vector<double> scaled;  // [T]

  int64_t begin(Split split) const {
    return split == Split::train ? 0 : split == Split::valid ? valid_from : test_from;
  }
  int64_t end(Split split) const {
    return split == Split::train ? valid_from : split == Split::valid ? test_from : test_to;
  }
};

struct SplitTable {
  std::vector<SplitSeries> series;
  std::vector<data::SeriesColumn> past = {}, future = {}, fixed = {};
  std::optional<data::Frequency> frequency;
  data::StampStyle style;
  data::SeriesReport report;

  // The stamp of value k of a series, which may lie beyond the last one.
  std::string stamp(const data::Series& of, int64_t k) const {
    return data::SeriesTable{.series = {}, .frequency = frequency, .style = style, .report = {}}.stamp(of, k);
  }
  int64_t season() const { return frequency ? data::seasonality(*frequency) : 1; }
};
// Series that are not in `scales` are scaled by their training part. Throws FormatError for parts that are empty,
// ConfigError for where they begin.
SplitTable split_series(data::SeriesTable table, const ForecastData& options, const Scales& scales = {});
// Each with the end of its training part.
Scales scales_of(const SplitTable& table);
// The files of the recipe, relative ones from `root` on, so split.
SplitTable read_split(const ForecastData& options, const std::string& root, const Scales& scales = {});

// How a model reads a column beside the targets: a number standardised by what training knows of it, or a category as a
// one among zeros, nothing but zeros for one that training does not know.
struct ForecastColumn {
  std::string name;
  bool categorical = false;
  double centre = 0, spread = 1;
  StringList names;  // of categories

  void fields(FieldVisitor& v) {
    v("name", name, "");
    v("categorical", categorical, "");
    v("centre", centre, "").range(-1e308, 1e308);
    v("spread", spread, "").range(1e-308, 1e308);
    v("names", names, "");
  }
  int64_t width() const { return categorical ? std::ssize(names) : 1; }
};
// What a model knows of the variables of series besides their values.
struct ForecastVariables {
  bool calendar = true;
  std::deque<ForecastColumn> past, future, fixed;

  void fields(FieldVisitor& v) {
    v("calendar", calendar, "");
    v("past", past), v("future", future), v("static", fixed);
  }
};
// By the training parts. Throws ConfigError for a column of more than 1000 categories.
ForecastVariables learn_variables(const SplitTable& table, bool calendar);

// What a model reads of a series besides its values.
struct SeriesVariables {
  int64_t P = 0, F = 0;             // columns; those of the future are the last ones of the past
  std::vector<float> past, future;  // [T, P], [T + horizon, F]
  std::vector<float> fixed;         // [S]
};
// Of series k of a table, `horizon` steps beyond its end: columns of the future stay as they were last.
SeriesVariables variables_of(const SplitTable& table, size_t k, const ForecastVariables& variables, int64_t horizon);
// What they are called: past (the series itself first), future, fixed.
struct VariableNames {
  std::vector<ForecastVariable> past, future, fixed;
};
VariableNames names_of_variables(const std::optional<data::Frequency>& frequency, const ForecastVariables& variables);

// What a model reads and is to say, cut out of series: forecast k is of series `series[k]` from the value origin[k] on.
class ForecastWindows {
 public:
  struct Window {
    int64_t series, origin;
  };

  // All of one part. Training: every step of which one value or more is known, whose history is whole or whose series
  // is too short for one. Validation and test: all horizons of which are in the part, `stride` apart; of a part that is
  // shorter than that one forecast, from its first step.
  ForecastWindows(SplitTable table, const ForecastVariables& variables, const ForecastData& options, Split split);

  int64_t size() const { return std::ssize(windows_); }
  const data::SeriesReport& report() const { return table_.report; }
  const SplitTable& table() const { return table_; }
  const Window& window(int64_t k) const { return windows_.at(static_cast<size_t>(k)); }
  std::span<const SeriesVariables> variables() const { return variables_; }
  std::vector<int32_t> lengths() const;  // of each window's history
  // What came h steps after a window's origin, scaled; nothing where it is not known or of another part.
  std::optional<double> value(const Window& window, int64_t h) const;

  struct Batch {
    std::vector<int64_t> index;
    ForecastBatch values;
    int64_t targets = 0;  // that are known
  };
  Batch batch(std::vector<int64_t> index) const;
  Batch batch(std::vector<int64_t> index, uint64_t, int64_t) const { return batch(std::move(index)); }

 private:
  SplitTable table_;
  ForecastData options_;
  Split split_;
  std::vector<SeriesVariables> variables_;  // of each series
  std::vector<Window> windows_;
};

// What a model reads of some series from some of their values on, without what came then. Lengths, histories and
// variables; variables of each series.
ForecastBatch read_windows(std::span<const SplitSeries> series, std::span<const SeriesVariables> variables,
                           std::span<const ForecastWindows::Window> windows, int64_t history, int64_t horizon);

}  // namespace lookback::tasks
