#include "lookback/data/vocab.h"

#include <algorithm>

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

bool is_special(std::string_view piece) {
  return std::find(kSpecialNames.begin(), kSpecialNames.end(), piece) != kSpecialNames.end();
}

}  // namespace

Vocab::Vocab(const std::vector<std::string>& pieces) {
  check<FormatError>(pieces.size() < INT32_MAX - kSpecials, "vocabulary: ", pieces.size(),
                     " pieces do not fit in an id");
  pieces_.assign(kSpecialNames.begin(), kSpecialNames.end());
  pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
  ids_.reserve(pieces.size());
  for (size_t k = kSpecials; k < pieces_.size(); ++k) {
    check<FormatError>(!pieces_[k].empty(), "vocabulary: piece ", k, " is empty");
    check<FormatError>(!is_special(pieces_[k]), "vocabulary: piece ", k, " is named like the special ", pieces_[k]);
    const bool fresh = ids_.emplace(pieces_[k], static_cast<int32_t>(k)).second;
    check<FormatError>(fresh, "vocabulary: piece ", k, " '", pieces_[k], "' is there twice");
  }
}

int32_t Vocab::id(std::string_view piece) const {
  const auto found = ids_.find(piece);
  return found == ids_.end() ? kUnk : found->second;
}

const std::string& Vocab::piece(int32_t id) const {
  check(id >= 0 && id < size(), "vocabulary: id ", id, " is outside [0, ", size(), ")");
  return pieces_[static_cast<size_t>(id)];
}

std::vector<std::string> most_frequent(const PieceCounts& counts, int64_t size, int64_t min_count) {
  std::vector<std::pair<int64_t, std::string_view>> ranked;
  for (const auto& [piece, count] : counts)
    if (count >= min_count && !is_special(piece)) ranked.emplace_back(-count, piece);
  std::sort(ranked.begin(), ranked.end());
  if (static_cast<int64_t>(ranked.size()) > size - kSpecials) ranked.resize(std::max<int64_t>(0, size - kSpecials));
  std::vector<std::string> out;
  for (const auto& [rank, piece] : ranked) out.emplace_back(piece);
  return out;
}

}  // namespace lookback::data
