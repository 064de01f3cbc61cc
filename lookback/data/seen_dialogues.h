// Dialogues that training has as well, so that they can be kept out of what is measured.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_set>

#include "lookback/data/row_reader.h"

namespace lookback::data {

// RowReader::Row::dialogue of all rows of `source`, files of layout "dialogues": 64 bits of a hash of the letters and
// digits of each turn of a dialogue, in lower case. As RowSource::without of other files it keeps those from giving
// dialogues that differ from one of these in case, punctuation and white space only; RowReader counts them. By chance
// one of a million dialogues is taken for one of a million others with a probability of 5e-8. A dialogue without
// letters and digits is never taken for another one. Throws ConfigError for other layouts, and as RowReader does.
std::shared_ptr<const std::unordered_set<uint64_t>> dialogues_of(const RowSource& source, const TableOptions& options);

}  // namespace lookback::data
