#include "lookback/data/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"

namespace lookback::data {

void check_utf8(std::string_view text) {
  const auto bad = find_invalid_utf8(text);
  check<FormatError>(!bad, "text is not UTF-8 at byte ", bad.value_or(0), ": convert it first");
}

char32_t codepoint(std::string_view character) {
  utf8proc_int32_t c = 0;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(character.data()),
                   static_cast<utf8proc_ssize_t>(character.size()), &c);
  return static_cast<char32_t>(c);
}

std::string uppercased(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const std::string_view c : codepoints(text))
    append_utf8(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(codepoint(c)))), out);
  return out;
}

namespace {

// What no normal form changes, as most of text is.
bool is_printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return ' ' <= c && c <= '~'; });
}

}  // namespace

std::string lowercased(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (is_printable_ascii(text)) {
    for (const char c : text) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
  }
  for (const std::string_view c : codepoints(text))
    append_utf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(codepoint(c)))), out);
  return out;
}

namespace {

// How much of a text to normalise at once: all of it, but for a run of combining marks without end, which the library
// would sort in quadratic time.
size_t normalised_at_once(std::string_view text) {
  constexpr size_t kMarks = 1000;
  size_t marks = 0, at = 0;
  while (at < text.size() && marks < kMarks) {
    const size_t length = std::max<size_t>(1, utf8_length_at(text, at));
    const bool is_mark =
        length > 1 &&
        utf8proc_get_property(static_cast<utf8proc_int32_t>(codepoint(text.substr(at, length))))->combining_class != 0;
    marks = is_mark ? marks + 1 : 0;
    at += length;
  }
  return at;
}

std::string nfkc_at_once(std::string_view text) {
  utf8proc_uint8_t* raw = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  const auto n = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                              static_cast<utf8proc_ssize_t>(text.size()), &raw, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
  check<FormatError>(n >= 0, "text cannot be normalised: ", utf8proc_errmsg(n));
  return {reinterpret_cast<const char*>(raw), static_cast<size_t>(n)};
}

}  // namespace

std::string nfkc(std::string_view text) {
  if (is_printable_ascii(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const size_t some = normalised_at_once(text);
    out += nfkc_at_once(text.substr(0, some));
    text.remove_prefix(some);
  }
  return out;
}

std::string nmt_nfkc(std::string_view text) {
  if (is_printable_ascii(text)) return std::string(text);
  // No text has this code point; it stands for the full-width tilde where NFKC would make another one of that.
  constexpr std::string_view kTilde = "\uFF5E", kStandIn = "\U0010FFFE";
  std::string clean;
  clean.reserve(text.size());
  for (const std::string_view character : codepoints(text)) {
    const char32_t c = codepoint(character);
    if ((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
      continue;
    const bool space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || c == 0x200B || c == 0x200C ||
                       c == 0x200E || c == 0x200F || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
                       c == 0xFFFD;
    clean += space ? " " : character == kTilde ? kStandIn : character;
  }
  std::string out = nfkc(clean);
  for (size_t at = 0; (at = out.find(kStandIn, at)) != std::string::npos;) out.replace(at, kStandIn.size(), kTilde);
  return out;
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_unspaced(char32_t c) {
  struct Block {
    char32_t first, last;
  };
  constexpr Block kBlocks[] = {
      {0x0E00, 0x0FFF},    // Thai, Lao, Tibetan
      {0x1000, 0x109F},    // Myanmar
      {0x1780, 0x17FF},    // Khmer
      {0x1950, 0x19FF},    // Tai Le, New Tai Lue, Khmer symbols
      {0x1A20, 0x1AAF},    // Tai Tham
      {0x2E80, 0x312F},    // radicals, marks, Hiragana, Katakana, Bopomofo
      {0x31A0, 0x4DBF},    // Bopomofo and Katakana extended, squared words, Han extension A
      {0x4E00, 0xA4CF},    // Han, Yi
      {0xA980, 0xA9FF},    // Javanese, Myanmar extended
      {0xAA60, 0xAADF},    // Myanmar extended, Tai Viet
      {0xF900, 0xFAFF},    // Han compatibility
      {0xFE30, 0xFE4F},    // marks of vertical text
      {0xFF00, 0xFF9F},    // full width, Katakana of half width
      {0x1AFF0, 0x1B16F},  // Kana extended
      {0x20000, 0x3FFFF},  // Han extensions
  };
  return std::any_of(std::begin(kBlocks), std::end(kBlocks), [c](Block b) { return b.first <= c && c <= b.last; });
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z');
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool is_letter(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ME;
}

bool is_digit(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND; }

LetterCase letter_case(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return LetterCase::upper;
    case UTF8PROC_CATEGORY_LL:
      return LetterCase::lower;
    default:
      return LetterCase::none;
  }
}

std::vector<std::string_view> codepoints(std::string_view text) {
  std::vector<std::string_view> out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); at += out.back().size())
    out.push_back(text.substr(at, std::max<size_t>(1, utf8_length_at(text, at))));
  return out;
}

std::vector<std::string_view> graphemes(std::string_view text) {
  std::vector<std::string_view> out;
  utf8proc_int32_t state = 0;
  char32_t before = 0;
  for (const std::string_view c : codepoints(text)) {
    const char32_t now = codepoint(c);
    if (!out.empty() && !utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before),
                                                          static_cast<utf8proc_int32_t>(now), &state))
      out.back() = {out.back().data(), out.back().size() + c.size()};
    else
      out.push_back(c);
    before = now;
  }
  return out;
}

}  // namespace lookback::data
