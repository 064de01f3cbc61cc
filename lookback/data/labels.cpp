#include "lookback/data/labels.h"

#include <algorithm>
#include <set>

#include "lookback/base/error.h"
#include "lookback/data/word_rules.h"

namespace lookback::data {
namespace {

std::string_view trimmed(std::string_view cell) {
  const auto words = split_spaces(cell);
  if (words.empty()) return {};
  const char* const begin = words.front().data();
  return {begin, static_cast<size_t>(words.back().data() + words.back().size() - begin)};
}

}  // namespace

std::vector<int32_t> CellEncoder::encode_sampled(std::string_view cell, Rng&) const { return encode(cell); }

std::string CellEncoder::why_none(const std::string& column, std::string_view) const {
  return "the " + column + " is empty";
}

Labels::Labels(std::vector<std::string> names, const std::string& origin) : names_(std::move(names)) {
  std::ranges::sort(names_);
  check<FormatError>(names_.size() > 1, origin, ": ", names_.size(),
                     names_.empty() ? " labels" : " label, '" + names_[0] + "'", ": there is nothing to tell apart");
  check<FormatError>(!names_[0].empty(), origin, ": a label is empty");
  const auto twice = std::ranges::adjacent_find(names_);
  check<FormatError>(twice == names_.end(), origin, ": the label '", twice == names_.end() ? "" : *twice,
                     "' is there twice");
}

Labels Labels::learn(const LineSource& lines, const std::string& origin) {
  std::set<std::string, std::less<>> found;
  for (std::string line; lines(line);)
    if (const std::string_view label = trimmed(line); !label.empty() && !found.contains(label)) found.emplace(label);
  return Labels({found.begin(), found.end()}, origin);
}

std::vector<int32_t> Labels::encode(std::string_view cell) const {
  const auto at = std::ranges::lower_bound(names_, trimmed(cell), std::less<>());
  if (at == names_.end() || *at != trimmed(cell)) return {};
  return {static_cast<int32_t>(at - names_.begin())};
}

std::string Labels::why_none(const std::string& column, std::string_view cell) const {
  return trimmed(cell).empty() ? CellEncoder::why_none(column, cell) : "a " + column + " that training has not";
}

}  // namespace lookback::data
