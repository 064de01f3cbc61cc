// The few things about characters that tokenizers ask.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lookback::data {

// Throws FormatError, with the byte's place, unless `text` is UTF-8.
void check_utf8(std::string_view text);

// All of these take valid UTF-8.
std::string lowercased(std::string_view text);  // one code point for one: the simple mapping
std::string uppercased(std::string_view text);  // likewise
std::string nfkc(std::string_view text);
// SentencePiece's nmt_nfkc: control characters go, marks that show nothing (zero-width space, byte order mark, U+2581,
// U+FFFD ...) become spaces, then NFKC, but for the full-width tilde, which stays.
std::string nmt_nfkc(std::string_view text);

bool is_space(char32_t c);     // Unicode White_Space
bool is_unspaced(char32_t c);  // of a script that is written without spaces between words: Chinese, Japanese, Thai ...
bool is_punctuation(char32_t c);  // ASCII punctuation and symbols, and category P of Unicode

bool is_letter(char32_t c);  // categories L and M of Unicode: letters, and the marks that belong to them
bool is_digit(char32_t c);   // category Nd of Unicode: decimal digits
enum class LetterCase { none, lower, upper };
LetterCase letter_case(char32_t c);  // none where a script has no case, too

// Code points, or extended grapheme clusters (UAX 29), as views into `text`.
std::vector<std::string_view> codepoints(std::string_view text);
std::vector<std::string_view> graphemes(std::string_view text);
// The code point a well-formed character stands for.
char32_t codepoint(std::string_view character);

}  // namespace lookback::data
