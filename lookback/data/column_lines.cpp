#include <memory>

#include "lookback/base/sha256.h"
#include "lookback/data/table.h"

namespace lookback::data {

LineSource column_lines(const RowSource& rows, const StringList& names, const std::vector<size_t>& wanted,
                        const TableOptions& options) {
  // A function that can be copied, as std::function wants, reads the files anew for each column.
  struct State {
    std::vector<size_t> todo;  // the columns, the last one first
    std::unique_ptr<RowReader> reader;
    RowReader::Row row;
  };
  const auto state = std::make_shared<State>(State{.todo = {wanted.rbegin(), wanted.rend()}});
  return [=](std::string& line) {
    while (!state->todo.empty()) {
      if (!state->reader) state->reader = std::make_unique<RowReader>(rows, names, options);
      if (!state->reader->next(state->row)) {
        state->reader.reset(), state->todo.pop_back();
      } else if (state->row.problem.empty()) {
        line = std::move(state->row.cells[state->todo.back()]);
        return true;
      }
    }
    return false;
  };
}

std::string rows_sha256(const RowSource& rows, const StringList& names, const TableOptions& options) {
  TableOptions lenient = options;
  lenient.bad_lines = "skip", lenient.max_bad = 1;
  RowReader reader(rows, names, lenient);
  Sha256 sum;
  RowReader::Row row;
  while (reader.next(row))
    for (const std::string& cell : row.cells) sum.update(cell), sum.update("\n");
  return sum.hex();
}

}  // namespace lookback::data
