// Rows of a CSV file as inputs, and as outputs: all that a row had, and one column more.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lookback/tasks/input.h"

namespace lookback::tasks {

class CsvInput {
 public:
  // Gives the next line of the file; false at its end.
  using NextLine = std::function<bool(std::string&)>;

  // `columns`: those that hold the required fields, in their order; called as the fields are if there are none.
  CsvInput(const InputFields& fields, const StringList& columns, std::string output);

  // Reads the header that begins with `line` and returns the one to be written: with a column called as the task's
  // output, or predicted_... where there is one of that name. Throws FormatError for a column that it lacks.
  std::string take_header(std::string line, const NextLine& more);

  // The input of the record that begins with `record`, to which further lines of the record are added. Throws
  // FormatError, without saying where.
  Input take(std::string& record, const NextLine& more) const;

 private:
  std::vector<std::string> cells_of(std::string& record, const NextLine& more) const;

  StringList fields_, columns_;
  std::string output_;
  std::vector<size_t> places_;
  size_t width_ = 0;  // cells of the header
};

// A cell as CSV writes it (RFC 4180): in quotes where it has a comma, a quote or a line's end.
std::string csv_cell(const std::string& text);

}  // namespace lookback::tasks
