#include "lookback/data/seen_dialogues.h"

#include "lookback/base/error.h"

namespace lookback::data {

std::shared_ptr<const std::unordered_set<uint64_t>> dialogues_of(const RowSource& source, const TableOptions& options) {
  check<ConfigError>(options.layout == "dialogues", "data.layout = '", options.layout,
                     "': dialogues that training has can be told only of data.layout = 'dialogues'");
  auto out = std::make_shared<std::unordered_set<uint64_t>>();
  TableOptions any_columns = options;
  any_columns.columns = {"reply"};
  RowReader reader(source, {"reply"}, any_columns);
  for (RowReader::Row row; reader.next(row);)
    if (row.problem.empty() && row.dialogue != 0) out->insert(row.dialogue);
  return out;
}

}  // namespace lookback::data
