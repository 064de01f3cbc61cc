// Text that came from anywhere, made fit to be shown.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lookback::viz {

// Valid UTF-8 on one line that cannot steer a terminal or a text renderer:
// controls become control pictures (U+2400...), bidirectional controls and
// noncharacters U+FFFD.
std::string one_line(std::string_view bytes);

// A token in the form it is shown in: the subword marks are apart, to be drawn
// fainter than the rest. An empty token shows as U+2205, blanks as U+2423, and a
// leading combining mark sits on U+25CC.
struct TokenText {
  std::string prefix;  // U+2581 or "##"
  std::string body;
  std::string suffix;  // "@@"

  std::string whole() const { return prefix + body + suffix; }
};
TokenText visible(std::string_view token);

// Columns of a terminal the text takes: East Asian wide 2, combining marks 0.
int64_t display_width(std::string_view utf8);

// What a reader sees as one character each (Unicode extended grapheme clusters).
std::vector<std::string> graphemes(std::string_view utf8);

// The token cut to at most `columns`, with "…" at the end if something is lost.
TokenText shorten(TokenText token, int64_t columns);
std::string shorten(std::string_view utf8, int64_t columns);

bool right_to_left(std::string_view utf8);  // holds letters of a right-to-left script
int direction_of(std::string_view token);   // -1 if it is read right to left, 1 left to right, 0 if it has no letters
bool joins_letters(std::string_view utf8);  // unreadable letter by letter: Arabic, Indic scripts and the like

// & < > " ' as entities; for element content and quoted attributes of XML and HTML.
std::string escape_markup(std::string_view utf8);

// Which tokens have a gap before them, by the subword marks this side uses: all
// of them when it uses none. Each part of so many tokens begins with a word.
std::vector<bool> word_starts(const std::vector<std::string>& tokens, std::span<const int64_t> parts = {});

// The word each token belongs to, counted from 0 (see merge_subwords).
std::vector<int64_t> word_numbers(const std::vector<std::string>& tokens, std::span<const int64_t> parts = {});

// The pieces of one word written as the word, without their marks.
std::string join_pieces(std::span<const std::string> pieces);

}  // namespace lookback::viz
