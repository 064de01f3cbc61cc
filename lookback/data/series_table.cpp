#include "lookback/data/series_table.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/base/line_reader.h"
#include "lookback/base/parse.h"
#include "lookback/base/utf8.h"
#include "lookback/data/covariate_columns.h"
#include "lookback/data/csv.h"
#include "lookback/data/find_frequency.h"

namespace lookback::data {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kExamples = 5;
constexpr int64_t kLongestGap = 1'000'000;  // beyond, a wrong stamp would cost the memory

// One cell of a target, where it stands.
struct Value {
  Stamp stamp;
  double value;  // NaN: missing; infinite ones stay so
  int64_t row;
};

struct Raw {
  std::string id;
  std::vector<Value> values;
};

// What was read, before it is on a grid.
class Reading {
 public:
  explicit Reading(const SeriesOptions& options) : options_(options), covariates_(options) {}

  void read(const std::string& path) {
    const std::string file = path == "-" ? "standard input" : path;  // for messages
    LineReader reader(path);
    where_.begin_file(file);
    std::string line;
    bool first = true;
    const auto next = [&](std::string& out) {
      if (!reader.next(out)) return false;
      check<FormatError>(valid_utf8(out), file, ":", reader.number(), ": is not UTF-8");
      return true;
    };
    while (next(line)) {
      const int64_t number = reader.number();
      const std::string where = str_cat(file, ":", number);
      if (line.find_first_not_of(' ') == line.npos) continue;  // tabs are cells
      if (first) tab_ = line.find('\t') != line.npos;
      cells_of(line, next, where);
      if (std::exchange(first, false) && take_header(file)) continue;
      check<FormatError>(cells_.size() == names_.size(), where, ": ", cells_.size(), " cells, but there are ",
                         names_.size(), " columns");
      take_row(where, number);
    }
    check<FormatError>(!first, file, ": is empty");
  }

  SeriesTable table() {
    check<FormatError>(where_.size() > 0, "data.train: no rows");
    SeriesTable out;
    give_stamps(out.style);
    out.report.rows = where_.size();
    find_grid(out);
    out.past = covariates_.past(), out.future = covariates_.future(), out.fixed = covariates_.fixed();
    for (Raw& raw : raw_) add_series(std::move(raw), out);
    check<FormatError>(!out.series.empty(), "no series has a value");
    out.report.series = std::ssize(out.series);
    return out;
  }

 private:
  void cells_of(const std::string& line, const std::function<bool(std::string&)>& next, const std::string& where) {
    if (!tab_) {
      const std::string problem = parse_csv(line, next, cells_);
      check<FormatError>(problem.empty(), where, ": ", problem);
      return;
    }
    cells_ = split_tabs(line);
  }

  // Whether the first row has names.
  bool take_header(const std::string& file) {
    const bool has_names = !std::ranges::all_of(cells_, [](const std::string& c) { return number_of(c).has_value(); });
    StringList names;
    for (size_t k = 0; k < cells_.size(); ++k)
      names.push_back(has_names ? std::string(trimmed(cells_[k])) : std::to_string(k + 1));
    check<FormatError>(names_.empty() || names == names_, file, ": has other columns than the file before it");
    names_ = std::move(names);
    if (places_.empty()) find_columns(file);
    return has_names;
  }

  size_t place(const std::string& file, const std::string& key, const std::string& name) const {
    const auto at = std::ranges::find(names_, name);
    check<ConfigError>(at != names_.end(), file, ": no column '", name, "', which data.", key, " names",
                       nearest_match(name, names_));
    return static_cast<size_t>(at - names_.begin());
  }

  void find_columns(const std::string& file) {
    const size_t none = names_.size();
    id_ = options_.id.empty() ? none : place(file, "id", options_.id);
    time_ = options_.time.empty() ? none : place(file, "time", options_.time);
    check<ConfigError>(id_ == none || time_ != none, "data.time: a long table needs a column of time stamps");
    check<ConfigError>(!options_.targets.empty(), "data.targets names no column");
    covariates_.find(file, names_);
    for (const std::string& target : options_.targets) {
      if (target != "*") {
        places_.push_back(place(file, "targets", target));
        continue;
      }
      for (size_t k = 0; k < names_.size(); ++k)
        if (k != id_ && k != time_ && !covariates_.has(k)) places_.push_back(k);
    }
    check<ConfigError>(!places_.empty(), file, ": no column is left for data.targets = \"*\"");
    std::set<std::string_view> targets;
    for (const size_t at : places_) {
      check<ConfigError>(targets.insert(names_[at]).second, file, ": column '", names_[at],
                         "' is twice among those of data.targets");
      check<ConfigError>(!covariates_.has(at), file, ": column '", names_[at],
                         "' is a target and in data.past, data.future or data.static too");
    }
  }

  void take_row(const std::string& where, int64_t line) {
    const int64_t row = where_.size();
    where_.add(line);
    if (time_ < cells_.size()) stamps_.push_back(cells_[time_]);
    covariates_.take_row(cells_, where);
    has_target_.push_back(0);
    for (const size_t at : places_) {
      std::string id = id_ < cells_.size() ? cells_[id_] : names_[at];
      if (id_ < cells_.size() && places_.size() > 1) id += "/" + names_[at];
      const auto [found, is_new] = number_.emplace(id, raw_.size());
      if (is_new) raw_.push_back({id, {}});
      const double value = value_of(cells_[at], where, names_[at]);
      has_target_.back() |= static_cast<char>(!std::isnan(value));
      raw_[found->second].values.push_back({row, value, row});
    }
  }

  static double value_of(const std::string& cell, const std::string& where, const std::string& column) {
    if (says_nothing(cell)) return kNone;
    const auto value = number_of(cell);
    check<FormatError>(value.has_value(), where, ": '", cell, "' in column '", column, "' is no number");
    return *value;
  }

  // Rows had numbers until all stamps were there to say how they are written.
  void give_stamps(StampStyle& style) {
    style.kind = StampKind::step;
    if (stamps_.empty()) return;
    const std::vector<std::string_view> cells(stamps_.begin(), stamps_.end());
    try {
      style = find_style(cells);
    } catch (const FormatError& e) {
      throw FormatError(str_cat("column '", options_.time, "': ", e.what()));
    }
    std::vector<Stamp> of_row;
    for (size_t k = 0; k < cells.size(); ++k) {
      const ParsedStamp parsed = parse_stamp(cells[k], style);
      if (!parsed.why.empty())
        throw FormatError(str_cat(where_[static_cast<int64_t>(k)], ": '", cells[k], "' is no time like the others (",
                                  style_pattern(style), "): ", parsed.why));
      of_row.push_back(parsed.stamp);
    }
    for (Raw& raw : raw_)
      for (Value& v : raw.values) v.stamp = of_row[static_cast<size_t>(v.row)];
  }

  void find_grid(SeriesTable& out) const {
    std::vector<std::vector<Stamp>> stamps;
    std::vector<SeriesStamps> all;
    for (const Raw& raw : raw_) {
      auto& of_series = stamps.emplace_back();
      for (const Value& v : raw.values) of_series.push_back(v.stamp);
    }
    for (size_t k = 0; k < raw_.size(); ++k) all.push_back({raw_.size() > 1 ? raw_[k].id : "", stamps[k]});
    if (options_.frequency == "auto") {
      out.frequency = find_frequency(all, out.style);
    } else {
      out.frequency = parse_frequency(options_.frequency);
      const bool steps = out.style.kind == StampKind::step;
      check<ConfigError>(steps == (out.frequency->unit == FrequencyUnit::step), "data.frequency = ", options_.frequency,
                         steps ? " is one of times, and the rows" : " counts steps, and the rows",
                         steps ? " count steps" : " have times");
      check_on_grid(all, *out.frequency, out.style);
    }
  }

  // What a policy makes of a value that is not as it should be: whether it counts as known.
  bool settled(const std::string& policy, const char* key, const std::string& what, int64_t& count,
               SeriesTable& out) const {
    check<FormatError>(policy != "error", what, "; data.", key,
                       " = \"mask\" leaves it out, \"fill\" takes the last value");
    ++count;
    if (out.report.examples.size() < kExamples) out.report.examples.push_back(what);
    return policy == "fill";
  }

  void sort(Raw& raw, SeriesTable& out) const {
    for (size_t k = 1; k < raw.values.size(); ++k) {
      if (raw.values[k].stamp >= raw.values[k - 1].stamp) continue;
      check<FormatError>(options_.unsorted == "sort", where(raw.values[k]),
                         ": goes back in time; data.unsorted = \"sort\" "
                         "allows that");
      ++out.report.unsorted;
    }
    std::ranges::stable_sort(raw.values, {}, &Value::stamp);
  }

  std::string where(const Value& v) const { return where_[v.row]; }

  void add_series(Raw raw, SeriesTable& out) const {
    sort(raw, out);
    Series series{.id = raw.id, .start = raw.values[0].stamp, .values = {}, .known = {}};
    std::vector<int64_t> rows;  // of each step
    const auto behind = first_ahead(raw);
    for (auto v = raw.values.begin(); v != raw.values.end();) {
      const int64_t at = v->stamp == series.start ? 0 : *steps_between(series.start, v->stamp, *out.frequency);
      if (at - std::ssize(rows) > kLongestGap)
        throw FormatError(
            str_cat(where(*v), ": ", at - std::ssize(rows), " stamps without a row before it; is its time right?"));
      while (std::ssize(rows) < at) {
        rows.push_back(CovariateColumns::kNoRow);
        const std::string missing = out.stamp(series, std::ssize(rows) - 1);
        if (v >= behind) {
          if (options_.gaps == "error") throw FormatError(str_cat(where(*v), ": no row for ", missing, " before it"));
          continue;
        }
        series.known.push_back(settled(
            options_.gaps, "gaps", str_cat(where(*v), ": no row for ", missing, " before it"), out.report.gaps, out));
        series.values.push_back(kNone);
      }
      const auto end = std::find_if(v, raw.values.end(), [&](const Value& w) { return w.stamp != v->stamp; });
      for (auto again = v + 1; again != end; ++again, ++out.report.duplicates)
        check<FormatError>(options_.duplicates != "error", where(*again),
                           ": a second row of its series and time; "
                           "data.duplicates = \"last\" takes the last one");
      const bool masked = end - v > 1 && options_.duplicates == "mask";
      rows.push_back(masked ? CovariateColumns::kNoRow : end[-1].row);
      if (masked && v < behind)
        series.values.push_back(kNone), series.known.push_back(0);
      else if (v < behind)
        add_value(end[-1], series, out);
      v = end;
    }
    fill(series);
    std::vector<int64_t> all;
    for (const Value& v : raw.values) all.push_back(v.row);
    covariates_.give(rows, all, where_, series, out.report);
    series.ahead = std::ssize(rows) - series.size();
    const int64_t known = std::ranges::count_if(series.known, [](char k) { return k != 0; });
    if (known == 0) {
      out.report.empty.push_back(series.id);
      return;
    }
    out.report.values += known;
    out.series.push_back(std::move(series));
  }

  // Rows of steps to come: behind the last one that has any target, where there are columns that are known of them.
  std::vector<Value>::iterator first_ahead(Raw& raw) const {
    auto out = raw.values.end();
    if (options_.future.empty()) return out;
    while (out != raw.values.begin() && !has_target_[static_cast<size_t>(out[-1].row)]) --out;
    return out;
  }

  void add_value(const Value& v, Series& series, SeriesTable& out) const {
    bool known = true;
    if (std::isinf(v.value))
      known =
          settled(options_.infinite, "infinite", str_cat(where(v), ": an infinite value"), out.report.infinite, out);
    else if (std::isnan(v.value))
      known = settled(options_.missing, "missing", str_cat(where(v), ": no value"), out.report.missing, out);
    series.values.push_back(std::isfinite(v.value) ? v.value : kNone);
    series.known.push_back(known);
  }

  // Gives each value that is not there the last one before it. What leads is no value whatever the policy: there is
  // none before it.
  static void fill(Series& series) {
    const auto first = std::ranges::find_if(series.values, [](double x) { return !std::isnan(x); });
    if (first == series.values.end()) {
      series.known.assign(series.values.size(), 0);
      return;
    }
    for (auto at = series.values.begin(); at != first; ++at) {
      *at = *first;
      series.known[static_cast<size_t>(at - series.values.begin())] = 0;
    }
    for (auto at = first + 1; at < series.values.end(); ++at)
      if (std::isnan(*at)) *at = at[-1];
  }

  const SeriesOptions& options_;
  bool tab_ = false;
  StringList names_, cells_;
  size_t id_ = 0, time_ = 0;
  std::vector<size_t> places_;  // of targets
  RowPlaces where_;
  std::vector<char> has_target_;  // whether any is there, of each row
  CovariateColumns covariates_;
  StringList stamps_;  // the cell of each row
  std::map<std::string, size_t> number_;
  std::vector<Raw> raw_;
};

}  // namespace

std::string describe(const SeriesReport& r) {
  std::string out = str_cat(grouped(r.series), " series, ", grouped(r.values), " values of ", grouped(r.rows), " rows");
  const std::pair<int64_t, const char*> counts[] = {{r.gaps, "stamps without a row"},
                                                    {r.missing, "missing values"},
                                                    {r.infinite, "infinite values"},
                                                    {r.covariates, "cells of other columns without a value"},
                                                    {r.duplicates, "rows of a stamp that there was"},
                                                    {r.unsorted, "rows that go back in time"},
                                                    {std::ssize(r.empty), "series without any value, left out"}};
  for (const auto& [count, what] : counts)
    if (count > 0) out += str_cat("; ", grouped(count), " ", what);
  for (const std::string& example : r.examples) out += "\n  " + example;
  return out;
}

std::string SeriesTable::stamp(const Series& of, int64_t k) const {
  check<FormatError>(frequency || k == 0, "series '", of.id,
                     "': no series has two values, so that the time from one to the next is not known");
  return format_stamp(k == 0 ? of.start : advance(of.start, *frequency, k), style);
}

SeriesTable read_series(const StringList& files, const SeriesOptions& options) {
  Reading reading(options);
  for (const std::string& file : files) reading.read(file);
  return reading.table();
}

}  // namespace lookback::data
