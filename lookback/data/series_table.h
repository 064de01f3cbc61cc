// Time series from tables: read once, each on a regular grid of time.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/frequency.h"

namespace lookback::data {

// Which columns hold what, and what becomes of values that are not as they should be.
struct SeriesOptions {
  std::string id = "unique_id", time = "ds";
  StringList targets = {"y"};
  StringList past, future, fixed, categorical;
  std::string frequency = "auto";
  std::string gaps = "mask", missing = "mask", infinite = "error", duplicates = "error", unsorted = "sort";

  void fields(FieldVisitor& v) {
    v("id", id, "the column that names the series of a row (a long table); \"\": all rows are of one time line (wide)");
    v("time", time, "the column of time stamps, which are UTC; \"\": rows are steps, in their order");
    v("targets", targets,
      "the columns of values to be forecast, each a series of its own; \"*\": all that no other key names");
    v("past", past, "columns that are known up to a forecast: a temperature that was measured. Of all targets alike");
    v("future", future,
      "columns that are known of the steps to come, too: a price that is planned, a holiday. Rows behind a series' "
      "last value that have no target say them for predict");
    v("static", fixed, "columns that do not change within a series: the kind of a shop");
    v("categorical", categorical, "those of past, future and static that hold names and not numbers");
    v("frequency", frequency,
      "from one value to the next, as pandas names it: 15min, h, D, B, W, MS, ME, QS, YS; auto: found in the stamps");
    v("gaps", gaps,
      "stamps without a row. mask: they take up the last value before them for the model to read, and are neither "
      "learnt nor scored; fill: that value counts as if it had been there; error")
        .choices({"mask", "fill", "error"});
    v("missing", missing, "empty cells and NaN, NA, null; the same").choices({"mask", "fill", "error"});
    v("infinite", infinite, "inf and -inf; the same").choices({"mask", "fill", "error"});
    v("duplicates", duplicates,
      "rows of one series and stamp. last: the last one counts; mask: none does, as with gaps; error")
        .choices({"last", "mask", "error"});
    v("unsorted", unsorted, "rows of a series that go back in time: sort them, or error").choices({"sort", "error"});
  }
};

// A column beside the targets.
struct SeriesColumn {
  std::string name;
  bool categorical = false;
  StringList names = {};  // categorical: those that there are, in the order in which they first come up
};

// A series whose value k stands at `start` and k steps. Values of a categorical column are places in its names, -1
// where a series has none.
struct Series {
  std::string id;
  Stamp start = 0;
  std::vector<double> values;  // finite: where there is none, the last one before it or, at the start, the first one
  std::vector<char> known;     // whether it counts: is learnt from, and scored
  std::vector<std::vector<double>> past = {}, future = {};  // of each column [size], [size + ahead]
  std::vector<double> fixed = {};                           // of each column
  int64_t ahead = 0;                                        // steps to come of which the table has the future columns

  int64_t size() const { return std::ssize(values); }
  // NaN where it does not count.
  double known_value(int64_t k) const {
    const auto at = static_cast<size_t>(k);
    return known[at] ? values[at] : std::numeric_limits<double>::quiet_NaN();
  }
};

struct SeriesReport {
  int64_t rows = 0, series = 0, values = 0;  // of the files; values that are known
  int64_t gaps = 0, missing = 0, infinite = 0, duplicates = 0, unsorted = 0;
  int64_t covariates = 0;  // cells of other columns that took up the last value before them
  StringList empty;        // series without any value, which are left out
  StringList examples;     // the first few gaps, missing and infinite values: "sales.csv:17: no value"
};

// Some lines for a person.
std::string describe(const SeriesReport& report);

struct SeriesTable {
  std::vector<Series> series;  // in the order in which they first come up
  std::vector<SeriesColumn> past = {}, future = {}, fixed = {};
  std::optional<Frequency> frequency;  // none where no series has two stamps
  StampStyle style;
  SeriesReport report;

  // The stamp of value k, which may lie beyond the last one, as the table writes stamps. Throws FormatError where the
  // table has no frequency and k is not 0.
  std::string stamp(const Series& series, int64_t k) const;
};

// Reads CSV or, where line 1 has a tab, TSV, plain or .gz; several files have the same columns. Line 1 has the names of
// columns unless all of its cells are numbers: then they are called "1", "2", ... Values are written as "1.5" or "1e3".
// Throws ConfigError for a column that is not there, with the nearest match; FormatError "path:line: ..." for a row of
// another width, a cell that is no stamp or no number, a static column that changes, and what the options call an
// error; IoError.
SeriesTable read_series(const StringList& files, const SeriesOptions& options);

}  // namespace lookback::data
