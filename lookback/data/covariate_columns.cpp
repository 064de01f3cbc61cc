#include "lookback/data/covariate_columns.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/base/parse.h"

namespace lookback::data {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kNoCategory = -1;

}  // namespace

std::optional<double> number_of(std::string_view cell) {
  cell = trimmed(cell);
  if (cell.starts_with('+') && !cell.starts_with("+-")) cell.remove_prefix(1);
  return parse_number<double>(cell);
}

bool says_nothing(std::string_view cell) {
  static const StringList kWords = {"", "nan", "NaN", "NAN", "NA", "N/A", "null", "NULL", "None"};
  return std::ranges::find(kWords, trimmed(cell)) != kWords.end();
}

std::string RowPlaces::operator[](int64_t row) const {
  auto file = files_.begin();
  while (file + 1 != files_.end() && file[1].first <= row) ++file;
  return str_cat(file->second, ":", lines_.at(static_cast<size_t>(row)));
}

CovariateColumns::CovariateColumns(const SeriesOptions& options)
    : options_(options),
      past_(columns_of(options.past, "past")),
      future_(columns_of(options.future, "future")),
      fixed_(columns_of(options.fixed, "static")) {
  std::map<std::string_view, const char*> keys;
  for (const auto* const columns : {&past_, &future_, &fixed_})
    for (const Column& c : *columns) {
      const auto [at, is_new] = keys.emplace(c.name, c.key);
      check<ConfigError>(is_new, "data.", c.key, ": column '", c.name, "' is in data.", at->second, " too");
    }
  StringList names;
  for (const auto& [name, key] : keys) names.emplace_back(name);
  for (const std::string& name : options.categorical)
    check<ConfigError>(keys.contains(name), "data.categorical: column '", name,
                       "' is in none of data.past, data.future and data.static", nearest_match(name, names));
}

std::vector<CovariateColumns::Column> CovariateColumns::columns_of(const StringList& names, const char* key) const {
  std::vector<Column> out;
  for (const std::string& name : names)
    out.push_back({.name = name,
                   .key = key,
                   .categorical = std::ranges::find(options_.categorical, name) != options_.categorical.end()});
  return out;
}

void CovariateColumns::find(const std::string& file, const StringList& names) {
  for (auto* const columns : {&past_, &future_, &fixed_})
    for (Column& c : *columns) {
      const auto at = std::ranges::find(names, c.name);
      check<ConfigError>(at != names.end(), file, ": no column '", c.name, "', which data.", c.key, " names",
                         nearest_match(c.name, names));
      check<ConfigError>(c.name != options_.id && c.name != options_.time, "data.", c.key, ": column '", c.name,
                         "' is data.", c.name == options_.id ? "id" : "time", " too");
      c.place = static_cast<size_t>(at - names.begin());
    }
}

bool CovariateColumns::has(size_t column) const {
  for (const auto* const columns : {&past_, &future_, &fixed_})
    for (const Column& c : *columns)
      if (c.place == column) return true;
  return false;
}

void CovariateColumns::take_row(const StringList& cells, const std::string& where) {
  for (auto* const columns : {&past_, &future_, &fixed_})
    for (Column& c : *columns) {
      const std::string_view cell = trimmed(cells[c.place]);
      double& to = c.cells.emplace_back(kNone);
      if (says_nothing(cell)) continue;
      if (c.categorical) {
        const auto [at, is_new] = c.codes.emplace(std::string(cell), std::ssize(c.names));
        if (is_new) c.names.emplace_back(cell);
        to = static_cast<double>(at->second);
        continue;
      }
      const auto number = number_of(cell);
      check<FormatError>(number.has_value(), where, ": '", cell, "' in column '", c.name,
                         "' is no number; data.categorical = [\"", c.name, "\"] takes names");
      to = *number;
    }
}

std::vector<SeriesColumn> CovariateColumns::described(const std::vector<Column>& columns) {
  std::vector<SeriesColumn> out;
  for (const Column& c : columns) out.push_back({.name = c.name, .categorical = c.categorical, .names = c.names});
  return out;
}

// What a policy makes of a cell: NaN where the last value is to be taken.
void CovariateColumns::settle(double& cell, const Column& column, const RowPlaces& where, int64_t row,
                              SeriesReport& report) const {
  if (std::isfinite(cell)) return;
  const bool infinite = std::isinf(cell);
  check<FormatError>((infinite ? options_.infinite : options_.missing) != "error", where[row], ": ",
                     infinite ? "an infinite value" : "no value", " in column '", column.name, "'; data.",
                     infinite ? "infinite" : "missing", " = \"fill\" takes the last value");
  cell = kNone;
  ++report.covariates;
}

std::vector<double> CovariateColumns::on_grid(const Column& column, const std::vector<int64_t>& rows,
                                              const RowPlaces& where, SeriesReport& report) const {
  std::vector<double> out;
  for (const int64_t row : rows) {
    double& x = out.emplace_back(row == kNoRow ? kNone : column.cells[static_cast<size_t>(row)]);
    if (row != kNoRow) settle(x, column, where, row, report);
  }
  const auto first = std::ranges::find_if(out, [](double x) { return !std::isnan(x); });
  const double leading = first != out.end() ? *first : column.categorical ? kNoCategory : 0;
  for (size_t t = 0; t < out.size(); ++t)
    if (std::isnan(out[t])) out[t] = t ? out[t - 1] : leading;
  return out;
}

double CovariateColumns::constant(const Column& column, const std::vector<int64_t>& rows, const RowPlaces& where,
                                  const std::string& id) const {
  double out = kNone;
  const auto text = [&](double x) {
    return column.categorical ? column.names[static_cast<size_t>(x)] : short_number(x);
  };
  for (const int64_t row : rows) {
    const double x = column.cells[static_cast<size_t>(row)];
    if (!std::isfinite(x)) continue;
    if (!std::isnan(out) && x != out)
      throw FormatError(str_cat(where[row], ": static column '", column.name, "' of series '", id, "' was ", text(out),
                                " and is now ", text(x)));
    out = x;
  }
  return !std::isnan(out) ? out : column.categorical ? kNoCategory : 0;
}

void CovariateColumns::give(const std::vector<int64_t>& rows, const std::vector<int64_t>& all, const RowPlaces& where,
                            Series& series, SeriesReport& report) const {
  const std::vector<int64_t> known(rows.begin(), rows.begin() + series.size());
  for (const Column& c : past_) series.past.push_back(on_grid(c, known, where, report));
  for (const Column& c : future_) series.future.push_back(on_grid(c, rows, where, report));
  for (const Column& c : fixed_) series.fixed.push_back(constant(c, all, where, series.id));
}

}  // namespace lookback::data
