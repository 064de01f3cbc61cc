#include "lookback/io/toml_scan.h"

#include <algorithm>
#include <cstdint>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/io/quote.h"

namespace lookback::io {
namespace {

// Every dot in a key is a level of nesting, which the parser takes apart by recursion. Honest
// lines have a handful.
constexpr int kMaxDots = 64;

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// U+00FC at s[0..2) -> \U000000FC.
std::string escaped(std::string_view character) {
  constexpr unsigned kLeadBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  uint32_t code = static_cast<unsigned char>(character[0]) & kLeadBits[character.size()];
  for (const char c : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3F);
  std::string out = "\\U";
  for (int k = 28; k >= 0; k -= 4) out += "0123456789ABCDEF"[(code >> k) & 15];
  return out;
}

class Scanner {
 public:
  Scanner(std::string_view s, const std::string& origin) : s_(s), origin_(origin) {}

  std::string run() {
    check_characters();
    int dots = 0;
    while (at_ < s_.size()) {
      const char c = s_[at_];
      if (c == '#') {
        at_ = std::min(s_.find('\n', at_), s_.size());
      } else if (c == '"' || c == '\'') {
        string();
      } else {
        if (!is_ascii(c)) fail(line_, str_cat("the letter ", quote(character()), " must stand in quotes"));
        if (c == '.' && ++dots > kMaxDots) fail(line_, str_cat("more than ", kMaxDots, " dots in one line"));
        if (c == '\n') dots = 0;
        raw();
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(int64_t line, const std::string& what) const {
    throw ConfigError(str_cat(origin_, ":", line, ": ", what));
  }
  std::string_view character() const { return s_.substr(at_, utf8_length_at(s_, at_)); }
  // Copies one byte.
  void raw() {
    if (s_[at_] == '\n') ++line_;
    out_ += s_[at_++];
  }

  void check_characters() {
    if (const auto at = find_invalid_utf8(s_))
      fail(1 + std::count(s_.begin(), s_.begin() + static_cast<std::ptrdiff_t>(*at), '\n'),
           str_cat("byte ", *at, " is not valid UTF-8"));
    if (s_.substr(0, 3) == "\xEF\xBB\xBF") s_.remove_prefix(3);
    int64_t line = 1;
    for (size_t k = 0; k < s_.size(); ++k) {
      const auto c = static_cast<unsigned char>(s_[k]);
      const bool line_end = c == '\n' || (c == '\r' && k + 1 < s_.size() && s_[k + 1] == '\n');
      if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7F)
        fail(line, str_cat("a control character (number ", static_cast<int>(c), ")"));
      if (c == '\n') ++line;
    }
  }

  // A string of any of the four kinds.
  void string() {
    const char quote = s_[at_];
    const int64_t opened = line_;
    const bool long_form = s_.substr(at_, 3) == std::string(3, quote);
    const size_t marks = long_form ? 3 : 1;
    at_ += marks;
    out_.append(marks, '"');
    for (;;) {
      if (at_ == s_.size() || (s_[at_] == '\n' && !long_form))
        fail(opened, str_cat("a string is not closed; ", std::string(marks, quote), " is missing"));
      size_t quotes = 0;
      while (quotes < marks + (long_form ? 2 : 0) && at_ + quotes < s_.size() && s_[at_ + quotes] == quote) ++quotes;
      // Up to two more quotes just before the closing three belong to the string.
      const bool closes = quotes >= marks;
      for (size_t k = closes ? marks : 0; k < quotes; ++k) out_ += quote == '"' ? "\\\"" : "'";
      at_ += quotes;
      if (closes) break;
      if (quotes == 0) one(quote == '"', opened);
    }
    out_.append(marks, '"');
  }

  // One character or escape inside a string.
  void one(bool has_escapes, int64_t opened) {
    const char c = s_[at_];
    if (!is_ascii(c)) {
      const std::string_view whole = character();
      out_ += escaped(whole);
      at_ += whole.size();
    } else if (c == '\\' && has_escapes) {
      raw();
      if (at_ == s_.size()) fail(opened, "a string is not closed");
      if (!is_ascii(s_[at_]))
        fail(line_, str_cat("the backslash before ", quote(character()), " is no escape; write \\\\"));
      if (s_[at_] != '\n') raw();  // a line's end is for the caller to judge
    } else if (!has_escapes && (c == '\\' || c == '"')) {
      out_ += '\\';
      raw();
    } else {
      raw();
    }
  }

  std::string_view s_;
  const std::string& origin_;
  std::string out_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::string plain_toml(std::string_view toml, const std::string& origin) { return Scanner(toml, origin).run(); }

}  // namespace lookback::io
