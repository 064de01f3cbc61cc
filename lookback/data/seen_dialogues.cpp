#include "lookback/data/seen_dialogues.h"

#include "lookback/base/error.h"

namespace lookback::data {

std::shared_ptr<const std::unordered_set<uint64_t>> dialogues_of(const RowSource& source, const TableOptions& options) {
  const bool dialogues = options.layout == "dialogues";
  check<ConfigError>(
      dialogues || options.layout == "restore" || options.layout == "turns", "data.layout = '", options.layout,
      "': dialogues that training has can be told only of data.layout = 'dialogues', 'restore' and 'turns'");
  auto out = std::make_shared<std::unordered_set<uint64_t>>();
  TableOptions any_columns = options;
  if (dialogues) any_columns.columns = {"reply"};
  RowReader reader(source, dialogues ? StringList{"reply"} : StringList{"texts", "tags"}, any_columns);
  for (RowReader::Row row; reader.next(row);)
    if (row.problem.empty() && row.dialogue != 0) out->insert(row.dialogue);
  return out;
}

}  // namespace lookback::data
