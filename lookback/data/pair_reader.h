// Parallel text, one pair of lines at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lookback/base/line_reader.h"

namespace lookback::data {

// Two files, line k of one beside line k of the other, or one file with a pair per line in two of its
// tab-separated columns. Files are plain or .gz, read in constant memory.
class PairReader {
 public:
  // `columns` is for one file: two numbers from 1, or two names that its first line must hold; empty is 1 and 2.
  // Throws ConfigError for any other number of files or columns, FormatError for a name that is not there.
  PairReader(const std::vector<std::string>& files, const std::vector<std::string>& columns);

  enum class Row { end, pair, missing_column };
  // The next pair. `end` as soon as one side has no more lines.
  Row next(std::string& source, std::string& target);

  // Number, from 1, of the line last read for a side (0 source, 1 target), and "path:line" of such a number.
  int64_t line(int side) const { return readers_[file_of(side)].number(); }
  std::string where(int side, int64_t line) const { return files_[file_of(side)] + ":" + std::to_string(line); }
  // After the end: reads what the longer of two files has left, and says how many lines each has.
  std::pair<int64_t, int64_t> count_lines();

 private:
  size_t file_of(int side) const { return readers_.size() == 2 ? static_cast<size_t>(side) : 0; }

  std::vector<std::string> files_;
  std::vector<LineReader> readers_;  // one per file
  size_t columns_[2] = {0, 1};       // of one file, from 0
  bool ended_[2] = {false, false};
  std::string line_;
};

}  // namespace lookback::data
