#include "lookback/data/delexicaliser.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kAround = ".,;:!?\"'()[]";
constexpr size_t kLongestQuantity = 4;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (size_t at = 0; (at = line.find_first_not_of(kSpaces, at)) != line.npos;) {
    const size_t end = std::min(line.find_first_of(kSpaces, at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

bool is_digit_or_point(char c) { return (c >= '0' && c <= '9') || c == '.' || c == ','; }

// Of these, texts have too many that mean something else.
bool is_too_common(std::string_view value) {
  if (std::ranges::all_of(value, is_digit_or_point)) return value.size() <= kLongestQuantity;
  return std::ranges::count_if(value, [](char c) { return (c & 0xC0) != 0x80; }) < 2;  // code points
}

// The text with each word, or what is left of it without punctuation around it, replaced as `by` says.
std::string replaced(std::string_view text, const std::unordered_map<std::string, std::string>& by) {
  const auto replacement = [&](std::string_view word) {
    const auto found = by.find(std::string(word));
    return found == by.end() ? nullptr : &found->second;
  };
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = std::min(text.find_first_not_of(kSpaces, at), text.size());
    const size_t end = std::min(text.find_first_of(kSpaces, begin), text.size());
    out += text.substr(at, begin - at);
    at = end;
    const std::string_view word = text.substr(begin, end - begin);
    size_t first = 0, last = word.size();  // [first, last) of the word
    const std::string* found = replacement(word);
    if (!found && word.find_first_not_of(kAround) != word.npos) {
      first = word.find_first_not_of(kAround), last = word.find_last_not_of(kAround) + 1;
      found = replacement(word.substr(first, last - first));
    }
    out += found ? str_cat(word.substr(0, first), *found, word.substr(last)) : std::string(word);
  }
  return out;
}

}  // namespace

Delexicaliser::Delexicaliser(std::string_view knowledge) {
  std::unordered_set<std::string> known;        // "relation value"
  std::unordered_map<std::string, int> counts;  // of the values of each relation
  const auto add = [&](std::string_view relation, std::string_view value) {
    if (is_too_common(value) || !known.insert(str_cat(relation, " ", value)).second) return;
    const std::string placeholder = str_cat("@", relation, "#", ++counts[std::string(relation)]);
    values_.emplace(placeholder, value);
    placeholders_.emplace(value, placeholder);
  };
  while (!knowledge.empty()) {
    const size_t end = std::min(knowledge.find('\n'), knowledge.size());
    const auto row = words_of(knowledge.substr(0, end));
    knowledge.remove_prefix(std::min(end + 1, knowledge.size()));
    if (row.size() != 3 || row[0] == "api_call") continue;
    add("name", row[0]);
    add(row[1], row[2]);
  }
}

std::string Delexicaliser::encode(std::string_view text) const { return replaced(text, placeholders_); }
std::string Delexicaliser::decode(std::string_view text) const { return replaced(text, values_); }

}  // namespace lookback::data
