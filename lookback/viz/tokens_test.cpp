#include "lookback/viz/tokens.h"

#include <gtest/gtest.h>

#include "lookback/base/utf8.h"

namespace lookback::viz {
namespace {

TEST(Tokens, BadBytesBecomeReplacementCharacters) {
  EXPECT_EQ(with_replacements("a\xff"
                              "b"),
            "a\uFFFDb");
  EXPECT_EQ(with_replacements("\xe2\x96"), "\uFFFD\uFFFD");                          // cut short
  EXPECT_EQ(with_replacements("\xc0\xaf"), "\uFFFD\uFFFD");                          // overlong
  EXPECT_EQ(with_replacements("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");                // surrogate
  EXPECT_EQ(with_replacements("\xf4\x90\x80\x80").find('\xf4'), std::string::npos);  // past U+10FFFF
  EXPECT_EQ(with_replacements("Grüße 猫 👍"), "Grüße 猫 👍");
}

TEST(Tokens, NothingShownCanSteerATerminal) {
  EXPECT_EQ(visible("\033[31m").whole(), "␛[31m");
  EXPECT_EQ(visible("a\n\tb").whole(), "a␊␉b");
  EXPECT_EQ(visible("\x7f").whole(), "␡");
  EXPECT_EQ(visible("\u0085").whole(), "\uFFFD");
  EXPECT_EQ(visible("\u202Eevil").whole(), "\uFFFDevil");
  EXPECT_EQ(visible("x\u2028y\uFEFF\uFFFF").whole(), "x\uFFFDy\uFFFD\uFFFD");
  EXPECT_EQ(one_line("two\r\nlines"), "two␍␊lines");
}

TEST(Tokens, WhatCannotBeSeenIsShown) {
  EXPECT_EQ(visible("").whole(), "∅");
  EXPECT_EQ(visible("  ").whole(), "␣␣");
  EXPECT_EQ(visible("\u00A0").whole(), "␣");
  EXPECT_EQ(visible("a b").whole(), "a b");
  EXPECT_EQ(visible("\u0301").whole(), "\u25CC\u0301");
  EXPECT_EQ(visible("▁\u0301").whole(), "▁\u25CC\u0301");
}

TEST(Tokens, MarksAreApart) {
  EXPECT_EQ(visible("▁Haus").prefix, "▁");
  EXPECT_EQ(visible("▁Haus").body, "Haus");
  EXPECT_EQ(visible("Hau@@").suffix, "@@");
  EXPECT_EQ(visible("##s").prefix, "##");
  for (const char* alone : {"▁", "@@", "##"}) {
    EXPECT_EQ(visible(alone).body, alone);
    EXPECT_EQ(visible(alone).prefix + visible(alone).suffix, "");
  }
}

TEST(Tokens, WidthsInColumns) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("猫が"), 4);
  EXPECT_EQ(display_width("e\u0301\u0302"), 1);
  EXPECT_EQ(display_width("ｆ"), 2);
  EXPECT_EQ(display_width("▁a…"), 3);
  EXPECT_EQ(display_width("خط"), 2);
}

TEST(Tokens, GraphemesStayWhole) {
  EXPECT_EQ(graphemes("e\u0301a"), (std::vector<std::string>{"e\u0301", "a"}));
  EXPECT_EQ(graphemes("👩‍👩‍👧!").size(), 2U);
  EXPECT_EQ(graphemes("🇩🇪🇬🇧").size(), 2U);
}

TEST(Tokens, ShortenKeepsTheWidth) {
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdef", 4), "abc…");
  EXPECT_EQ(shorten("猫猫猫", 4), "猫…");
  EXPECT_EQ(shorten("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  EXPECT_EQ(shorten("abc", 0), "");
  EXPECT_EQ(shorten(visible("▁abcdef"), 4).whole(), "▁ab…");
  EXPECT_EQ(shorten(visible("abcdef@@"), 5).whole(), "ab…@@");
  for (int columns = 1; columns < 9; ++columns)
    for (const char* t : {"▁abcdef", "abcdef@@", "猫猫猫猫", "a"})
      EXPECT_LE(display_width(shorten(visible(t), columns).whole()), columns) << t;
}

TEST(Tokens, Scripts) {
  EXPECT_TRUE(right_to_left("▁قطة"));
  EXPECT_TRUE(right_to_left("חתול"));
  EXPECT_FALSE(right_to_left("▁Katze 猫"));
  EXPECT_TRUE(joins_letters("قطة"));
  EXPECT_TRUE(joins_letters("नमस्ते"));
  EXPECT_FALSE(joins_letters("Katze"));
  EXPECT_FALSE(joins_letters("한국 猫 ქართ"));
}

TEST(Tokens, EscapesMarkup) { EXPECT_EQ(escape_markup("<a b=\"c\">&'"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;"); }

using Words = std::vector<int64_t>;

TEST(Tokens, WordsOfSentencePiece) {
  EXPECT_EQ(word_numbers({"▁Zei", "tung", "▁da", ".", "</s>"}), (Words{0, 0, 1, 2, 3}));
  EXPECT_EQ(word_numbers({"▁(", "a", "b", ")", "."}), (Words{0, 1, 1, 2, 3}));
  EXPECT_EQ(word_numbers({"▁don", "'", "t"}), (Words{0, 0, 0}));
  EXPECT_EQ(word_numbers({"▁", "2", "."}), (Words{0, 0, 1}));
  EXPECT_EQ(word_numbers({"▁.", ".", "."}), (Words{0, 1, 2}));
  EXPECT_EQ(word_numbers({"<s>", "x", "▁y"}), (Words{0, 1, 2}));
}

TEST(Tokens, WordsOfOtherMarks) {
  EXPECT_EQ(word_numbers({"Zei@@", "tung", "da", "."}), (Words{0, 0, 1, 2}));
  EXPECT_EQ(word_numbers({"Zei", "##tung", "da"}), (Words{0, 0, 1}));
  EXPECT_EQ(word_numbers({"a", "b", "."}), (Words{0, 1, 2}));
  EXPECT_EQ(word_numbers({}), (Words{}));
}

TEST(Tokens, PiecesJoin) {
  const auto join = [](std::vector<std::string> pieces) { return join_pieces(pieces); };
  EXPECT_EQ(join({"▁Zei", "tung"}), "Zeitung");
  EXPECT_EQ(join({"Zei@@", "tung"}), "Zeitung");
  EXPECT_EQ(join({"Zei", "##tung"}), "Zeitung");
  EXPECT_EQ(join({"▁", "2"}), "2");
  EXPECT_EQ(join({"▁"}), "▁");
}

}  // namespace
}  // namespace lookback::viz
