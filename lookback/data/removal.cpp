#include "lookback/data/removal.h"

#include <regex>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

// GNU's other way to match goes a level deeper with each character, and a long text would exhaust the stack.
#ifdef __GLIBCXX__
constexpr auto kLinear = std::regex_constants::__polynomial;
#else
constexpr auto kLinear = std::regex_constants::syntax_option_type();
#endif

std::wstring wide(std::string_view text) {
  std::wstring out;
  for (const std::string_view c : codepoints(text)) out += static_cast<wchar_t>(codepoint(c));
  return out;
}

std::wregex compiled(const std::string& pattern, const std::string& key) {
  check<ConfigError>(valid_utf8(pattern), key, " is not UTF-8");
  try {
    return std::wregex(wide(pattern), std::regex_constants::ECMAScript | std::regex_constants::optimize | kLinear);
  } catch (const std::regex_error& e) {
    throw ConfigError(str_cat(key, " = '", pattern, "' is no regular expression: ", e.what()));
  }
}

}  // namespace

struct Removal::Regex {
  std::wregex compiled;
};

Removal::Removal(const std::string& pattern, const std::string& key)
    : pattern_(pattern), regex_(std::make_shared<Regex>(Regex{compiled(pattern, key)})) {}

std::string Removal::operator()(std::string_view text) const {
  check_utf8(text);
  if (pattern_.empty()) return std::string(text);
  const std::vector<std::string_view> characters = codepoints(text);
  const std::wstring subject = wide(text);
  std::string out;
  size_t at = 0;
  const auto keep = [&](size_t end) {
    for (; at < end; ++at) out += characters[at];
  };
  for (std::wsregex_iterator match(subject.begin(), subject.end(), regex_->compiled), end; match != end; ++match) {
    keep(static_cast<size_t>(match->position()));
    at += static_cast<size_t>(match->length());
  }
  keep(characters.size());
  return out;
}

}  // namespace lookback::data
