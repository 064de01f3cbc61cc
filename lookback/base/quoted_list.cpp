#include "lookback/base/quoted_list.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"

namespace lookback {
namespace {

class Parser {
 public:
  Parser(std::string_view all, const std::string& where) : rest_(all), where_(where) {}

  std::vector<std::string> run() {
    std::vector<std::string> out;
    skip_blanks();
    if (!take('[')) fail("it does not begin with [");
    for (skip_blanks(); !take(']'); skip_blanks()) {
      out.push_back(is_number() ? number() : string());
      skip_blanks();
      if (!take(',') && !rest_.starts_with(']')) fail("a comma or ] is missing");
    }
    skip_blanks();
    if (!rest_.empty()) fail("something follows its ]");
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(str_cat(where_, " is not a list: ", what, rest_.empty() ? " at the end" : str_cat(" at ", rest_),
                              "; write [\"a\", \"b\"], in a shell between '...', or a,b"));
  }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

  // Whole numbers may stand as they are.
  bool is_number() const { return rest_.find_first_of("0123456789") == (rest_.starts_with('-') ? 1u : 0u); }
  std::string number() {
    const size_t end = std::min(rest_.find_first_not_of("0123456789", 1), rest_.size());
    std::string out(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return out;
  }

  std::string string() {
    const bool has_escapes = rest_.starts_with('"');
    if (!has_escapes && !rest_.starts_with('\'')) fail("a string in quotes or a whole number is missing");
    const char quote = rest_[0];
    rest_.remove_prefix(1);
    std::string out;
    while (!take(quote)) {
      if (rest_.empty()) fail("a string is not closed");
      const char c = rest_[0];
      if (has_escapes && c == '\\') {
        escape(out);
        continue;
      }
      if ((static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == '\x7F') fail("a control character is in a string");
      out += c;
      rest_.remove_prefix(1);
    }
    return out;
  }

  void escape(std::string& out) {
    constexpr std::string_view kNames = "btnfr\"\\", kMeant = "\b\t\n\f\r\"\\";
    const char name = rest_.size() > 1 ? rest_[1] : '\0';
    if (const size_t k = kNames.find(name); k != std::string_view::npos) {
      out += kMeant[k];
      return rest_.remove_prefix(2);
    }
    const size_t digits = name == 'u' ? 4 : name == 'U' ? 8 : 0;
    uint32_t code = 0;
    const std::string_view hex = rest_.substr(std::min<size_t>(2, rest_.size()), digits);
    const char* const end = hex.data() + hex.size();
    const bool whole = digits > 0 && hex.size() == digits && std::from_chars(hex.data(), end, code, 16).ptr == end;
    if (!whole || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) fail("an escape that TOML does not have");
    append_utf8(code, out);
    rest_.remove_prefix(2 + digits);
  }

  std::string_view rest_;
  const std::string& where_;
};

}  // namespace

std::vector<std::string> parse_quoted_list(std::string_view list, const std::string& where) {
  return Parser(list, where).run();
}

}  // namespace lookback
