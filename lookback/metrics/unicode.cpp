#include "lookback/metrics/unicode.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

#include "lookback/base/error.h"

namespace lookback::metrics {
namespace {

// Appends the code points of text to out, when there is one; returns the offset of the first bad byte, or -1.
int64_t scan_utf8(std::string_view text, std::u32string* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  for (int64_t at = 0; at < size;) {
    const int64_t start = at;
    UChar32 c;
    U8_NEXT(bytes, at, size, c);
    if (c < 0) return start;
    if (out) out->push_back(static_cast<char32_t>(c));
  }
  return -1;
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  const int64_t bad = scan_utf8(text, &out);
  check<FormatError>(bad < 0, "byte ", bad + 1, " is not UTF-8; convert the text to UTF-8");
  return out;
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    uint8_t bytes[U8_MAX_LENGTH];
    int length = 0;
    U8_APPEND_UNSAFE(bytes, length, static_cast<uint32_t>(c));
    out.append(reinterpret_cast<const char*>(bytes), length);
  }
  return out;
}

void check_utf8(const std::vector<std::string>& lines, std::string_view what) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const int64_t bad = scan_utf8(lines[i], nullptr);
    check<FormatError>(bad < 0, what, " line ", i + 1, ": byte ", bad + 1, " is not UTF-8; convert the file to UTF-8");
  }
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_punctuation(char32_t c) { return U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_P_MASK; }
bool is_symbol(char32_t c) { return U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_S_MASK; }
bool is_number(char32_t c) { return U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_N_MASK; }

std::u32string lower(std::u32string_view text) {
  std::u32string out(text);
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; })) {
    for (char32_t& c : out)
      if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
    return out;
  }
  auto folded =
      icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(out.data()), static_cast<int32_t>(out.size()));
  folded.toLower(icu::Locale::getRoot());
  out.clear();
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1))
    out.push_back(static_cast<char32_t>(folded.char32At(i)));
  return out;
}

std::vector<std::u32string_view> split(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  for (size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    const size_t start = at;
    while (at < text.size() && !is_space(text[at])) ++at;
    words.push_back(text.substr(start, at - start));
  }
  return words;
}

std::u32string_view strip_right(std::u32string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace lookback::metrics
