#include "lookback/data/word_rules.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>

#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

// Where a word asks for no space.
struct Sticks {
  bool left = false, right = false;
};

bool one_of(std::string_view word, std::initializer_list<std::string_view> marks) {
  for (const std::string_view m : marks)
    if (word == m) return true;
  return false;
}

Sticks sticks(std::string_view word, bool& quote_open) {
  if (word == "\"") {
    quote_open = !quote_open;
    return {!quote_open, quote_open};
  }
  if (one_of(word, {"'", "-", "/", "@", "_", "\u2019", "\\"})) return {true, true};
  if (one_of(word, {".", ",", "!", "?", ";", ":", "%", "\u2026", "\u3002", "\u3001"})) return {true, false};
  if (one_of(word, {"#", "\u00BF", "\u00A1", "\u201E", "\u201A"})) return {false, true};
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(codepoint(word)))) {
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_SC:
      return {false, true};
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PF:
      return {true, false};
    default:
      return {};
  }
}

bool digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::vector<std::string_view> split_spaces(std::string_view text) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  const auto close = [&](size_t at) {
    if (at > begin) out.push_back(text.substr(begin, at - begin));
  };
  for (size_t at = 0, size = 1; at < text.size(); at += size) {
    const bool ascii = static_cast<uint8_t>(text[at]) < 0x80;
    size = ascii ? 1 : std::max<size_t>(1, utf8_length_at(text, at));
    if (!is_space(ascii ? static_cast<char32_t>(text[at]) : codepoint(text.substr(at, size)))) continue;
    close(at);
    begin = at + size;
  }
  close(text.size());
  return out;
}

std::vector<std::string_view> split_punctuation(std::string_view text) {
  std::vector<std::string_view> out;
  for (const std::string_view word : split_spaces(text)) {
    bool fresh = true;
    for (const std::string_view c : codepoints(word)) {
      const bool mark = is_punctuation(codepoint(c));
      if (fresh || mark)
        out.push_back(c);
      else
        out.back() = {out.back().data(), out.back().size() + c.size()};
      fresh = mark;
    }
  }
  return out;
}

std::string join_punctuation(const std::vector<std::string_view>& words) {
  std::string out;
  bool glue = true, quote_open = false;
  for (size_t k = 0; k < words.size(); ++k) {
    Sticks s = sticks(words[k], quote_open);
    const bool in_number = one_of(words[k], {".", ",", ":"}) && k > 0 && k + 1 < words.size() &&
                           digit(words[k - 1].back()) && digit(words[k + 1].front());
    if (in_number) s.right = true;
    if (!glue && !s.left) out += ' ';
    out += words[k];
    glue = s.right;
  }
  return out;
}

}  // namespace lookback::data
