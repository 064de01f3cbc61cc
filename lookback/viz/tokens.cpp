#include "lookback/viz/tokens.h"

#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "lookback/base/utf8.h"

namespace lookback::viz {
namespace {

constexpr std::string_view kWordStart = "\u2581", kContinues = "@@", kWordPiece = "##";
constexpr int32_t kReplacement = 0xFFFD;

// Calls f(code point, its bytes) over the text; a bad byte is U+FFFD.
template <class F>
void each_code_point(std::string_view bytes, F&& f) {
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(bytes.data());
  const auto* end = at + bytes.size();
  while (at < end) {
    utf8proc_int32_t c = kReplacement;
    const utf8proc_ssize_t n = utf8proc_iterate(at, end - at, &c);
    const size_t used = n > 0 ? static_cast<size_t>(n) : 1;
    f(n > 0 ? c : kReplacement, std::string_view(reinterpret_cast<const char*>(at), used));
    at += used;
  }
}

utf8proc_category_t category(int32_t c) { return utf8proc_category(c); }

// A code point that may stand in a label, or what is shown instead of it.
int32_t harmless(int32_t c) {
  if (c < 0x20) return 0x2400 + c;
  if (c == 0x7F) return 0x2421;
  if (c < 0xA0 && c > 0x7F) return kReplacement;
  const bool direction =
      c == 0x61C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  const bool invisible = c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
  const bool noncharacter = (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
  return direction || invisible || noncharacter ? kReplacement : c;
}

bool all_of(std::string_view utf8, const std::function<bool(int32_t)>& test) {
  bool all = true;
  each_code_point(utf8, [&](int32_t c, std::string_view) { all = all && test(c); });
  return all;
}

bool is_blank(int32_t c) {
  const auto k = category(c);
  return k == UTF8PROC_CATEGORY_ZS || c == 0x200B;
}

bool is_punctuation(int32_t c) {
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_SO;
}

bool is_special(std::string_view token) {
  return token.size() > 2 &&
         ((token.front() == '<' && token.back() == '>') || (token.front() == '[' && token.back() == ']'));
}

struct Stripped {
  std::string_view prefix, body, suffix;
};

// A mark with nothing beside it is a token of its own, not a mark.
Stripped strip_marks(std::string_view token) {
  Stripped out{.prefix = {}, .body = token, .suffix = {}};
  size_t marks = 0;
  while (out.body.substr(marks).starts_with(kWordStart)) marks += kWordStart.size();
  if (marks == 0 && token.starts_with(kWordPiece)) marks = kWordPiece.size();
  if (marks < token.size()) out = {token.substr(0, marks), token.substr(marks), {}};
  if (marks == 0 && token.ends_with(kContinues) && token.size() > kContinues.size())
    out = {{}, token.substr(0, token.size() - kContinues.size()), token.substr(token.size() - kContinues.size())};
  return out;
}

bool only_punctuation(std::string_view token) {
  const std::string_view body = strip_marks(token).body;
  return !body.empty() && body != kWordStart && all_of(body, is_punctuation);
}

}  // namespace

std::string one_line(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  each_code_point(bytes, [&](int32_t c, std::string_view) { append_utf8(static_cast<char32_t>(harmless(c)), out); });
  return out;
}

TokenText visible(std::string_view token) {
  const Stripped parts = strip_marks(token);
  TokenText out{.prefix = std::string(parts.prefix), .body = {}, .suffix = std::string(parts.suffix)};
  const bool blank = all_of(parts.body, is_blank);
  each_code_point(parts.body, [&](int32_t c, std::string_view) {
    const auto k = category(c);
    if (out.body.empty() && (k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_ME || k == UTF8PROC_CATEGORY_MC))
      append_utf8(0x25CC, out.body);
    append_utf8(static_cast<char32_t>(blank ? 0x2423 : harmless(c)), out.body);
  });
  if (out.body.empty()) out.body = "\u2205";
  return out;
}

int64_t display_width(std::string_view utf8) {
  int64_t width = 0;
  each_code_point(utf8, [&](int32_t c, std::string_view) { width += utf8proc_charwidth(c); });
  return width;
}

std::vector<std::string> graphemes(std::string_view utf8) {
  std::vector<std::string> out;
  utf8proc_int32_t before = 0, state = 0;
  each_code_point(utf8, [&](int32_t c, std::string_view bytes) {
    if (out.empty() || utf8proc_grapheme_break_stateful(before, c, &state)) out.emplace_back();
    out.back() += bytes;
    before = c;
  });
  return out;
}

std::string shorten(std::string_view utf8, int64_t columns) {
  if (display_width(utf8) <= columns) return std::string(utf8);
  if (columns <= 0) return "";
  std::string out;
  int64_t used = 1;  // the ellipsis
  for (const std::string& g : graphemes(utf8)) {
    used += display_width(g);
    if (used > columns) break;
    out += g;
  }
  return out + "\u2026";
}

TokenText shorten(TokenText token, int64_t columns) {
  if (display_width(token.whole()) <= columns) return token;
  const int64_t prefix = display_width(token.prefix), suffix = display_width(token.suffix);
  if (columns < prefix + suffix + 2) return {.prefix = {}, .body = shorten(token.whole(), columns), .suffix = {}};
  token.body = shorten(token.body, columns - prefix - suffix);
  return token;
}

bool right_to_left(std::string_view utf8) {
  return !all_of(utf8, [](int32_t c) {
    const auto d = utf8proc_get_property(c)->bidi_class;
    return d != UTF8PROC_BIDI_CLASS_R && d != UTF8PROC_BIDI_CLASS_AL && d != UTF8PROC_BIDI_CLASS_AN;
  });
}

int direction_of(std::string_view token) {
  if (right_to_left(token)) return -1;
  const auto letter = [](int32_t c) { return utf8proc_get_property(c)->bidi_class == UTF8PROC_BIDI_CLASS_L; };
  const bool letters = !all_of(token, [&](int32_t c) { return !letter(c); });
  return letters && !is_special(token) ? 1 : 0;
}

bool joins_letters(std::string_view utf8) {
  return !all_of(utf8, [](int32_t c) {
    const bool arabic_to_mongolian = c >= 0x600 && c <= 0x1AFF && !(c >= 0x10A0 && c <= 0x167F);
    return !arabic_to_mongolian;
  });
}

std::string escape_markup(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  for (const char c : utf8) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

std::vector<bool> word_starts(const std::vector<std::string>& tokens, std::span<const int64_t> parts) {
  const auto any = [&](auto&& test) { return std::any_of(tokens.begin(), tokens.end(), test); };
  const bool sentencepiece = any([](std::string_view t) { return t.starts_with(kWordStart); });
  const bool bpe = any([](std::string_view t) { return !strip_marks(t).suffix.empty(); });
  const bool wordpiece = any([](std::string_view t) { return strip_marks(t).prefix == kWordPiece; });
  std::vector<bool> starts(tokens.size(), true);
  for (size_t k = 1; k < tokens.size(); ++k) {
    if (is_special(tokens[k]) || is_special(tokens[k - 1])) continue;
    if (sentencepiece)
      starts[k] = tokens[k].starts_with(kWordStart);
    else if (bpe)
      starts[k] = strip_marks(tokens[k - 1]).suffix.empty();
    else if (wordpiece)
      starts[k] = strip_marks(tokens[k]).prefix != kWordPiece;
  }
  for (size_t p = 0, begin = 0; p < parts.size(); begin += static_cast<size_t>(parts[p]), ++p) starts[begin] = true;
  return starts;
}

std::vector<int64_t> word_numbers(const std::vector<std::string>& tokens, std::span<const int64_t> parts) {
  const std::vector<bool> starts = word_starts(tokens, parts);
  std::vector<int64_t> out(tokens.size());
  int64_t next = 0;
  for (size_t begin = 0; begin < tokens.size();) {
    size_t end = begin + 1;
    while (end < tokens.size() && !starts[end]) ++end;
    // The word proper is what remains without punctuation at either end.
    size_t first = begin, last = end;
    while (first < end && only_punctuation(tokens[first])) ++first;
    while (last > first && only_punctuation(tokens[last - 1])) --last;
    for (size_t k = begin; k < end; ++k) {
      const bool inside = k > first && k < last;
      if (k > begin && !inside) ++next;
      out[k] = next;
    }
    ++next;
    begin = end;
  }
  return out;
}

std::string join_pieces(std::span<const std::string> pieces) {
  std::string out;
  for (const std::string& piece : pieces)
    if (piece != kWordStart) out += strip_marks(piece).body;
  return out.empty() && !pieces.empty() ? pieces.front() : out;
}

}  // namespace lookback::viz
