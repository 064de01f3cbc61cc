#include "lookback/data/tag_cells.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"
#include "lookback/data/word_rules.h"

namespace lookback::data {
namespace {

constexpr std::string_view kEndOfText = "__eou__";

bool is_blank(std::string_view text) { return split_spaces(text).empty(); }

std::vector<std::string_view> lines_of(std::string_view cell) {
  std::vector<std::string_view> out;
  for (size_t end; (end = cell.find('\n')) != cell.npos; cell.remove_prefix(end + 1))
    out.push_back(cell.substr(0, end));
  out.push_back(cell);
  return out;
}

std::vector<std::string_view> texts_of(std::string_view cell) {
  std::vector<std::string_view> out;
  for (size_t end; (end = cell.find(kEndOfText)) != cell.npos; cell.remove_prefix(end + kEndOfText.size()))
    out.push_back(cell.substr(0, end));
  if (!is_blank(cell)) out.push_back(cell);
  return out;
}

}  // namespace

std::vector<std::string_view> members_of(std::string_view cell, SequenceUnit unit) {
  check_utf8(cell);
  if (is_blank(cell)) return {};
  const bool has_lines = cell.find('\n') != cell.npos;
  if (unit == SequenceUnit::token) return has_lines ? lines_of(cell) : split_spaces(cell);
  std::vector<std::string_view> out = has_lines ? lines_of(cell) : texts_of(cell);
  for (std::string_view& text : out) text = trimmed(text);
  return out;
}

std::vector<std::string_view> tags_of(std::string_view cell) {
  check_utf8(cell);
  if (is_blank(cell)) return {};
  return cell.find('\n') != cell.npos ? lines_of(cell) : split_spaces(cell);
}

std::string tag_line(const std::vector<std::string_view>& tags) {
  std::string out;
  for (const std::string_view tag : tags) {
    if (!out.empty()) out += ' ';
    std::string one;
    for (const std::string_view word : split_spaces(tag)) one += (one.empty() ? "" : "_") + std::string(word);
    out += one.empty() ? "_" : one;
  }
  return out;
}

std::vector<int32_t> TokenCells::encode_members(const std::vector<std::string_view>& members) const {
  std::vector<int32_t> out;
  for (const std::string_view token : members) {
    const std::vector<int32_t> ids = tokenizer_->encode(token);
    out.push_back(ids.size() == 1 ? ids[0] : kUnk);
  }
  return out;
}

std::vector<int32_t> TokenSpellingCells::encode_members(const std::vector<std::string_view>& members) const {
  std::vector<int32_t> out;
  for (const std::string_view token : members) {
    const std::vector<int32_t> ids = spelling_->encode(token);
    out.push_back(ids.empty() ? Spelling::kCases - 1 : ids[0]);
    for (size_t k = 1; k < ids.size(); ++k)
      if (ids[k] >= Spelling::kCases) out.push_back(ids[k]);  // of a token that the tokenizer would cut, all parts
  }
  return out;
}

std::vector<int32_t> TextCells::encode_members(const std::vector<std::string_view>& members) const {
  std::vector<int32_t> out;
  for (const std::string_view text : members) {
    const std::vector<int32_t> ids = tokenizer_->encode(text);
    out.insert(out.end(), ids.begin(), ids.end());
    out.push_back(kEos);
  }
  return out;
}

std::vector<int32_t> TextCells::encode_sampled(std::string_view cell, Rng& rng) const {
  std::vector<int32_t> out;
  for (const std::string_view text : members_of(cell, SequenceUnit::text)) {
    const std::vector<int32_t> ids = tokenizer_->encode_sampled(text, rng);
    out.insert(out.end(), ids.begin(), ids.end());
    out.push_back(kEos);
  }
  return out;
}

std::vector<std::vector<int32_t>> TextCells::texts(const std::vector<int32_t>& ids) {
  std::vector<std::vector<int32_t>> out;
  for (auto at = ids.begin(); at != ids.end();) {
    const auto end = std::find(at, ids.end(), kEos);
    out.emplace_back(at, end);
    at = end == ids.end() ? end : end + 1;
  }
  return out;
}

std::vector<int32_t> TextSpellingCells::encode_members(const std::vector<std::string_view>& members) const {
  std::vector<int32_t> out;
  for (const std::string_view text : members) {
    const std::vector<int32_t> ids = spelling_->encode(text);
    out.insert(out.end(), ids.begin(), ids.end());
  }
  return out;
}

TagSet::TagSet(StringList tags, const std::string& origin) : tags_(std::move(tags)) {
  std::ranges::sort(tags_);
  check<FormatError>(tags_.size() > 1, origin, ": has ", tags_.empty() ? "no tags" : "the tag '" + tags_[0] + "' alone",
                     "; a model needs two or more to choose from");
  for (const std::string& tag : tags_) {
    check<FormatError>(valid_utf8(tag) && tag_line({tag}) == tag, origin, ": the tag '", tag,
                       "' is empty or has white space");
    check<FormatError>(ids_.emplace(tag, static_cast<int32_t>(ids_.size())).second, origin, ": the tag '", tag,
                       "' is there twice");
  }
}

TagSet TagSet::learn(const LineSource& cells, const std::string& origin) {
  std::unordered_map<std::string, bool> found;
  for (std::string cell; cells(cell);)
    if (valid_utf8(cell))
      for (const std::string_view tag : tags_of(cell)) found.emplace(tag_line({tag}), true);
  StringList tags;
  for (const auto& [tag, seen] : found) tags.push_back(tag);
  return {std::move(tags), origin};
}

int32_t TagSet::id(std::string_view tag) const {
  const auto at = ids_.find(std::string(tag));
  return at == ids_.end() ? -1 : at->second;
}

std::vector<int32_t> TagCells::encode(std::string_view cell) const {
  const std::string line = tag_line(tags_of(cell));
  const std::vector<std::string_view> tags = split_spaces(line);
  std::vector<int32_t> out;
  for (const std::string_view tag : tags) {
    out.push_back(tags_->id(tag));
    if (out.back() < 0) return {};
  }
  return first_forbidden(scheme_, tags) ? std::vector<int32_t>() : out;
}

std::vector<int32_t> TagCells::encode_beside(std::string_view cell, Cells others) const {
  std::vector<int32_t> out = encode(cell);
  return out.size() == members_of(others[0], unit_).size() ? out : std::vector<int32_t>();
}

std::string TagCells::why_none(const std::string& column, std::string_view cell) const {
  const std::vector<std::string_view> tags = tags_of(cell);
  if (tags.empty()) return CellEncoder::why_none(column, cell);
  if (!encode(cell).empty())
    return str_cat("other than one tag for each ", unit_ == SequenceUnit::token ? "token" : "text");
  for (const std::string_view tag : tags)
    if (tags_->id(tag_line({tag})) < 0) return "a tag that training has not";
  return str_cat("tags that ", scheme_ == TagScheme::bio ? "bio" : "bioes", " forbids");
}

}  // namespace lookback::data
