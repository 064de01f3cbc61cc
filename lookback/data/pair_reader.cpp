#include "lookback/data/pair_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "lookback/base/error.h"
#include "lookback/base/fields.h"
#include "lookback/data/encoding_guess.h"

namespace lookback::data {
namespace {

std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> out;
  for (size_t end; (end = line.find('\t')) != std::string_view::npos; line.remove_prefix(end + 1))
    out.emplace_back(line.substr(0, end));
  out.emplace_back(line);
  return out;
}

// The column of a TSV line, or nothing if it has fewer.
std::optional<std::string_view> cell(std::string_view line, size_t column) {
  for (; column > 0; --column) {
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos) return std::nullopt;
    line.remove_prefix(tab + 1);
  }
  return line.substr(0, line.find('\t'));
}

std::optional<size_t> number(const std::string& s) {
  size_t out = 0;
  const auto [end, failed] = std::from_chars(s.data(), s.data() + s.size(), out);
  if (failed != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return out;
}

}  // namespace

PairReader::PairReader(const std::vector<std::string>& files, const std::vector<std::string>& columns) : files_(files) {
  check<ConfigError>(files.size() == 1 || files.size() == 2,
                     "parallel text is two files, or one with two columns; got ", files.size(), " files");
  check<ConfigError>(columns.empty() || files.size() == 1, "columns are for one file with both sides; got two files");
  check<ConfigError>(columns.empty() || columns.size() == 2, "columns must name source and target; got ",
                     columns.size());
  for (const std::string& f : files) readers_.emplace_back(f);
  if (columns.empty()) return;
  const auto first = number(columns[0]), second = number(columns[1]);
  if (first && second) {
    check<ConfigError>(*first > 0 && *second > 0, "columns are counted from 1");
    columns_[0] = *first - 1, columns_[1] = *second - 1;
    return;
  }
  std::string line;
  check<FormatError>(readers_[0].next(line), files[0], ": is empty, without the names of its columns");
  const std::vector<std::string> names = cells(line);
  EncodingGuess guess;
  guess.add(line, 1);
  const std::string encoding = is_utf8_text(line) ? "" : "; the line is not UTF-8, " + guess.advice();
  for (size_t side = 0; side < 2; ++side) {
    const auto found = std::find(names.begin(), names.end(), columns[side]);
    check<FormatError>(found != names.end(), files[0], ":1: has no column '", columns[side], "'",
                       encoding.empty() ? nearest_match(columns[side], names) : encoding);
    columns_[side] = static_cast<size_t>(found - names.begin());
  }
}

PairReader::Row PairReader::next(std::string& source, std::string& target) {
  if (readers_.size() == 2) {
    ended_[0] = ended_[0] || !readers_[0].next(source);
    ended_[1] = ended_[1] || !readers_[1].next(target);
    return ended_[0] || ended_[1] ? Row::end : Row::pair;
  }
  if (!readers_[0].next(line_)) return Row::end;
  const auto s = cell(line_, columns_[0]), t = cell(line_, columns_[1]);
  if (!s || !t) return Row::missing_column;
  source = *s, target = *t;
  return Row::pair;
}

std::pair<int64_t, int64_t> PairReader::count_lines() {
  for (LineReader& r : readers_)
    while (r.next(line_)) {
    }
  return {readers_.front().number(), readers_.back().number()};
}

}  // namespace lookback::data
