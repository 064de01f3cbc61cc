// Text as code points, with the meaning Python gives to white space, lower case and character classes: sacreBLEU's
// scores depend on all three. Characters newer than utf8proc's Unicode version count as unassigned.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lookback::metrics {

// Code points of strict UTF-8 (no surrogates, no overlong forms). Throws FormatError naming the byte otherwise.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(std::u32string_view text);

// What Python's str.split() and str.rstrip() take for white space (str.isspace).
bool is_space(char32_t c);
// General categories P*, S*, N* and L*.
bool is_punctuation(char32_t c);
bool is_symbol(char32_t c);
bool is_number(char32_t c);
bool is_letter(char32_t c);

// Python's str.lower(): full mappings of the root locale, final sigma included.
std::u32string lower(std::u32string_view text);

// Python's str.split(): the runs between white space. The views point into text.
std::vector<std::u32string_view> split(std::u32string_view text);
// Python's str.rstrip() and str.strip().
std::u32string_view strip_right(std::u32string_view text);
std::u32string_view strip(std::u32string_view text);

// Columns that a terminal needs for text: two for wide characters, none for those that join the one before.
int64_t terminal_width(std::u32string_view text);

}  // namespace lookback::metrics
