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

// What stands between separators, blank parts passed over; without a separator all of it.
std::vector<std::string_view> split(std::string_view cell, std::string_view separator) {
  std::vector<std::string_view> out;
  for (size_t begin = 0; begin <= cell.size();) {
    const size_t end = separator.empty() ? cell.size() : std::min(cell.find(separator, begin), cell.size());
    if (const std::string_view part = trimmed(cell.substr(begin, end - begin)); !part.empty()) out.push_back(part);
    begin = end + std::max<size_t>(1, separator.size());
  }
  return out;
}

std::string_view separator_of(const LabelOptions& options) {
  return options.several ? std::string_view(options.separator) : std::string_view();
}

// Throws unless every label, and every name, is there once.
void check_distinct(StringList names, const std::string& what) {
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  check<ConfigError>(twice == names.end(), what, " '", twice == names.end() ? "" : *twice, "' is there twice");
}

}  // namespace

std::vector<int32_t> CellEncoder::encode_beside(std::string_view cell, Cells) const { return encode(cell); }

std::vector<int32_t> CellEncoder::encode_sampled(std::string_view cell, Rng&) const { return encode(cell); }

std::string CellEncoder::why_none(const std::string& column, std::string_view) const {
  return "the " + column + " is empty";
}

Labels::Labels(StringList labels, const LabelOptions& options, const std::string& origin)
    : labels_(std::move(labels)), options_(options) {
  std::ranges::sort(labels_);
  check<FormatError>(labels_.size() > (options.several ? 0 : 1), origin, ": ", labels_.size(),
                     labels_.empty() ? " labels" : " label, '" + labels_[0] + "'", ": there is nothing to tell apart");
  check<FormatError>(!labels_[0].empty(), origin, ": a label is empty");
  const auto twice = std::ranges::adjacent_find(labels_);
  check<FormatError>(twice == labels_.end(), origin, ": the label '", twice == labels_.end() ? "" : *twice,
                     "' is there twice");
  names_ = labels_;
  for (const std::string& given : options.names) {
    const size_t equals = given.find('=');
    check<ConfigError>(equals != std::string::npos && equals + 1 < given.size(), "label.names: '", given,
                       "' is not LABEL=NAME");
    const std::string label = given.substr(0, equals);
    const auto at = std::ranges::lower_bound(labels_, label);
    check<ConfigError>(at != labels_.end() && *at == label, "label.names: ", origin, " has no label '", label, "'",
                       nearest_match(label, labels_));
    names_[static_cast<size_t>(at - labels_.begin())] = trimmed(given.substr(equals + 1));
  }
  check_distinct(names_, "label.names: the name");
  if (!options.several) return;
  check<ConfigError>(!options.separator.empty(), "label.separator is empty, and label.several = true needs one");
  for (const std::string& name : names_)
    check<ConfigError>(name.find(options.separator) == std::string::npos, "label.names: '", name,
                       "' has the separator '", options.separator, "' in it");
}

Labels Labels::learn(const LineSource& lines, const LabelOptions& options, const std::string& origin) {
  std::set<std::string, std::less<>> found;
  for (std::string line; lines(line);)
    for (const std::string_view label : split(line, separator_of(options)))
      if (!found.contains(label)) found.emplace(label);
  return Labels({found.begin(), found.end()}, options, origin);
}

std::vector<std::string_view> Labels::parts(std::string_view cell) const { return split(cell, separator_of(options_)); }

int32_t Labels::id(std::string_view label) const {
  const auto at = std::ranges::lower_bound(labels_, label, std::less<>());
  if (at != labels_.end() && *at == label) return static_cast<int32_t>(at - labels_.begin());
  const auto named = std::ranges::find(names_, label);
  return named == names_.end() ? -1 : static_cast<int32_t>(named - names_.begin());
}

std::vector<int32_t> Labels::encode(std::string_view cell) const {
  std::set<int32_t> out;
  for (const std::string_view part : parts(cell)) out.insert(id(part));
  if (out.contains(-1)) return {};
  if (options_.several) out.insert(static_cast<int32_t>(count()));
  return {out.begin(), out.end()};
}

std::string Labels::why_none(const std::string& column, std::string_view cell) const {
  if (parts(cell).empty()) return CellEncoder::why_none(column, cell);
  const bool vowel = !column.empty() && std::string_view("aeiou").find(column[0]) != std::string_view::npos;
  return (vowel ? "an " : "a ") + column + " that training has not";
}

std::string Labels::text(std::span<const int32_t> ids) const {
  std::string out;
  for (const int32_t k : ids) out += (out.empty() ? "" : options_.separator) + name(k);
  return out;
}

std::string Labels::as_output(std::string_view cell) const {
  std::vector<int32_t> known;
  StringList unknown;
  for (const std::string_view part : parts(cell)) {
    if (const int32_t k = id(part); k >= 0)
      known.push_back(k);
    else
      unknown.emplace_back(part);
  }
  std::ranges::sort(known);
  known.erase(std::unique(known.begin(), known.end()), known.end());  // clang 14 has no ranges::unique
  std::string out = text(known);
  for (const std::string& label : unknown) out += (out.empty() ? "" : options_.separator) + label;
  return out;
}

}  // namespace lookback::data
