#include "lookback/tasks/csv_input.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/data/csv.h"

namespace lookback::tasks {

CsvInput::CsvInput(const InputFields& fields, const StringList& columns, std::string output)
    : columns_(columns), output_(std::move(output)) {
  for (const InputField& f : fields)
    if (f.required) fields_.push_back(f.name);
  if (columns_.empty()) columns_ = fields_;
  check<ConfigError>(columns_.size() == fields_.size(), "predict: --columns must name those of ", joined(fields_),
                     "; got ", columns_.size());
}

std::vector<std::string> CsvInput::cells_of(std::string& record, const NextLine& more) const {
  std::vector<std::string> cells;
  const std::string problem = data::parse_csv(
      record,
      [&](std::string& next) {
        if (!more(next)) return false;
        record += "\n" + next;
        return true;
      },
      cells);
  check<FormatError>(problem.empty(), problem);
  return cells;
}

std::string CsvInput::take_header(std::string line, const NextLine& more) {
  const std::vector<std::string> names = cells_of(line, more);
  width_ = names.size();
  for (const std::string& wanted : columns_) {
    const auto at = std::ranges::find(names, wanted);
    check<FormatError>(at != names.end(), "has no column '", wanted, "'", nearest_match(wanted, names),
                       "; --columns says which one to read");
    places_.push_back(static_cast<size_t>(at - names.begin()));
  }
  const bool taken = std::ranges::find(names, output_) != names.end();
  return line + "," + csv_cell(taken ? "predicted_" + output_ : output_) + "\n";
}

Input CsvInput::take(std::string& record, const NextLine& more) const {
  const std::vector<std::string> cells = cells_of(record, more);
  check<FormatError>(cells.size() == width_, "has ", cells.size(), cells.size() == 1 ? " cell" : " cells",
                     ", the header has ", width_);
  Input out;
  for (size_t k = 0; k < fields_.size(); ++k) out.fields[fields_[k]] = cells[places_[k]];
  return out;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace lookback::tasks
