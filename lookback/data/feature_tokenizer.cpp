#include "lookback/data/feature_tokenizer.h"

#include <algorithm>
#include <set>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

std::string_view trimmed(std::string_view s) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const size_t begin = s.find_first_not_of(kSpaces);
  return begin == s.npos ? std::string_view() : s.substr(begin, s.find_last_not_of(kSpaces) + 1 - begin);
}

StringList parts(std::string_view cell, const std::string& separator) {
  StringList out;
  for (size_t at = 0; at <= cell.size();) {
    const size_t end = std::min(cell.find(separator, at), cell.size());
    if (const auto part = trimmed(cell.substr(at, end - at)); !part.empty()) out.emplace_back(part);
    at = end + separator.size();
  }
  return out;
}

}  // namespace

FeatureSymbols::FeatureSymbols(StringList names, std::string separator, int64_t first, const std::string& origin)
    : names_(std::move(names)), separator_(std::move(separator)), first_(first) {
  check<ConfigError>(!separator_.empty(), origin, ": the separator of features is empty");
  for (const std::string& name : names_) {
    check<FormatError>(valid_utf8(name) && parts(name, separator_) == StringList{name}, origin, ": '", name,
                       "' is not one feature");
    const auto id = static_cast<int32_t>(first_ + 1 + std::ssize(ids_));
    check<FormatError>(ids_.emplace(name, id).second, origin, ": the feature '", name, "' is there twice");
  }
}

StringList FeatureSymbols::learn(const LineSource& lines, const std::string& separator) {
  check<ConfigError>(!separator.empty(), "the separator of features is empty");
  std::set<std::string> out;
  for (std::string line; lines(line);)
    if (valid_utf8(line)) out.merge([](StringList l) { return std::set(l.begin(), l.end()); }(parts(line, separator)));
  return {out.begin(), out.end()};
}

StringList FeatureSymbols::features(std::string_view cell) const { return parts(cell, separator_); }

std::vector<int32_t> FeatureSymbols::encode(std::string_view cell) const {
  check_utf8(cell);
  std::vector<int32_t> out;
  for (const std::string& name : features(cell)) {
    const auto found = ids_.find(name);
    out.push_back(found == ids_.end() ? static_cast<int32_t>(first_) : found->second);
  }
  return out;
}

StringList FeatureSymbols::unknown(std::string_view cell) const {
  StringList out = features(cell);
  std::erase_if(out, [&](const std::string& name) { return ids_.contains(name); });
  return out;
}

std::string FeatureSymbols::piece(int32_t id) const {
  check<ShapeError>(id >= first_ && id < size(), "features: ", id, " is outside [", first_, ", ", size(), ")");
  return id == first_ ? std::string(kSpecialNames[kUnk]) : names_[static_cast<size_t>(id - first_ - 1)];
}

FeatureTokenizer::FeatureTokenizer(std::shared_ptr<const Tokenizer> texts, StringList names, std::string separator,
                                   const std::string& origin)
    : texts_(std::move(texts)), features_(std::move(names), std::move(separator), texts_->size(), origin) {}

std::vector<int32_t> FeatureTokenizer::encode(std::string_view features, std::string_view text) const {
  const std::vector<int32_t> ids = texts_->encode(text);
  if (ids.empty()) return {};
  std::vector<int32_t> out = features_.encode(features);
  out.insert(out.end(), ids.begin(), ids.end());
  return out;
}

std::vector<std::string> FeatureTokenizer::surfaces(std::string_view features, std::string_view text) const {
  std::vector<std::string> out = texts_->surfaces(text);
  if (!out.empty()) out.insert(out.begin(), features_.encode(features).size(), "");
  return out;
}

std::string FeatureTokenizer::decode(std::span<const int32_t> ids) const {
  std::vector<int32_t> of_text(ids.begin(), ids.end());
  std::erase_if(of_text, [&](int32_t id) { return id >= features_.first(); });
  return texts_->decode(of_text);
}

std::string FeatureTokenizer::piece(int32_t id) const {
  return id < features_.first() ? texts_->piece(id) : features_.piece(id);
}

}  // namespace lookback::data
