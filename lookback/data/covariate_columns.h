// Private to data: columns of a table of series beside the targets, read row by row and put on the grid of each series.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lookback/data/series_table.h"

namespace lookback::data {

// The number that a cell of a table is, with or without spaces and a plus.
std::optional<double> number_of(std::string_view cell);
// Whether a cell says that there is no value: "", NaN, NA, null.
bool says_nothing(std::string_view cell);

// Where the rows of a table are, "path:line", in eight bytes each.
class RowPlaces {
 public:
  void begin_file(const std::string& path) { files_.emplace_back(size(), path); }
  void add(int64_t line) { lines_.push_back(line); }
  int64_t size() const { return std::ssize(lines_); }
  std::string operator[](int64_t row) const;

 private:
  std::vector<std::pair<int64_t, std::string>> files_;  // the first row of each
  std::vector<int64_t> lines_;
};

class CovariateColumns {
 public:
  explicit CovariateColumns(const SeriesOptions& options);

  // Finds the columns by their names. Throws ConfigError.
  void find(const std::string& file, const StringList& names);
  // Which of the table's columns these are.
  bool has(size_t column) const;
  // Throws FormatError for a cell that is no number where one is wanted.
  void take_row(const StringList& cells, const std::string& where);

  std::vector<SeriesColumn> past() const { return described(past_); }
  std::vector<SeriesColumn> future() const { return described(future_); }
  std::vector<SeriesColumn> fixed() const { return described(fixed_); }

  static constexpr int64_t kNoRow = -1;
  // Fills in what a series has of its columns. `rows`: of each stamp of its grid, those ahead of its last value
  // included, the row there, or kNoRow; `all`: every row of it. `where` names rows. What is missing takes up the last
  // value before it and is counted. Throws FormatError as the options say.
  void give(const std::vector<int64_t>& rows, const std::vector<int64_t>& all, const RowPlaces& where, Series& series,
            SeriesReport& report) const;

 private:
  struct Column {
    std::string name;
    const char* key;  // of the option that names it
    bool categorical;
    size_t place = 0;
    std::vector<double> cells = {};  // [rows] numbers, or places in `names`; NaN: nothing is there
    StringList names = {};
    std::map<std::string, int64_t, std::less<>> codes = {};
  };
  std::vector<Column> columns_of(const StringList& names, const char* key) const;
  static std::vector<SeriesColumn> described(const std::vector<Column>& columns);
  void settle(double& cell, const Column& column, const RowPlaces& where, int64_t row, SeriesReport& report) const;
  std::vector<double> on_grid(const Column& column, const std::vector<int64_t>& rows, const RowPlaces& where,
                              SeriesReport& report) const;
  double constant(const Column& column, const std::vector<int64_t>& rows, const RowPlaces& where,
                  const std::string& id) const;

  const SeriesOptions& options_;
  std::vector<Column> past_, future_, fixed_;
};

}  // namespace lookback::data
