// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lookback {

// Length in bytes of the well-formed character that starts at s[at], or 0 if there is none.
inline size_t utf8_length_at(std::string_view s, size_t at) {
  const auto byte = [&](size_t k) { return at + k < s.size() ? static_cast<uint8_t>(s[at + k]) : uint8_t{0}; };
  const auto follows = [&](size_t k) { return (byte(k) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0), second = byte(1);
  if (at >= s.size()) return 0;
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;  // a continuation, or the lead of an overlong pair
  if (lead < 0xE0) return follows(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
    if (lead == 0xED && second > 0x9F) return 0;  // U+D800..DFFF
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (lead > 0xF4) return 0;
  if (lead == 0xF0 && second < 0x90) return 0;  // overlong
  if (lead == 0xF4 && second > 0x8F) return 0;  // above U+10FFFF
  return follows(1) && follows(2) && follows(3) ? 4 : 0;
}

// Offset in bytes of the first character that is not well formed, or nothing.
inline std::optional<size_t> find_invalid_utf8(std::string_view s) {
  for (size_t at = 0; at < s.size();) {
    const size_t length = utf8_length_at(s, at);
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

inline bool valid_utf8(std::string_view s) { return !find_invalid_utf8(s).has_value(); }

// Appends a code point, which is no surrogate and at most U+10FFFF.
inline void append_utf8(char32_t c, std::string& out) {
  const auto lead = [&](uint32_t mark, int shift) { out += static_cast<char>(mark | c >> shift); };
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80)
    lead(0, 0);
  else if (c < 0x800)
    lead(0xC0, 6), tail(0);
  else if (c < 0x10000)
    lead(0xE0, 12), tail(6), tail(0);
  else
    lead(0xF0, 18), tail(12), tail(6), tail(0);
}

// The same text with U+FFFD in the place of every byte that is not part of valid UTF-8.
inline std::string with_replacements(std::string_view s) {
  std::string out;
  while (const auto bad = find_invalid_utf8(s)) {
    out += s.substr(0, *bad);
    out += "\xEF\xBF\xBD";
    s.remove_prefix(*bad + 1);
  }
  return out += s;
}

}  // namespace lookback
