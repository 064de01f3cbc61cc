#include "lookback/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace lookback {
namespace {

using namespace std::string_literals;

TEST(Utf8, AcceptsTheEdgesOfEveryLength) {
  for (const std::string& s : {""s, "a"s, "\0"s, "\x7F"s, "\xC2\x80"s, "\xDF\xBF"s, "\xE0\xA0\x80"s, "\xED\x9F\xBF"s,
                               "\xEE\x80\x80"s, "\xEF\xBF\xBF"s, "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s,
                               "gr\xC3\xBC\xC3\x9F \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x98\x80"s})
    EXPECT_TRUE(valid_utf8(s)) << s;
}

TEST(Utf8, RefusesEveryKindOfDamage) {
  const std::string bad[] = {
      "\x80",              // a continuation alone
      "\xBF",              //
      "\xC0\x80",          // overlong NUL
      "\xC1\xBF",          // overlong two bytes
      "\xE0\x9F\xBF",      // overlong three bytes
      "\xF0\x8F\xBF\xBF",  // overlong four bytes
      "\xED\xA0\x80",      // first surrogate
      "\xED\xBF\xBF",      // last surrogate
      "\xF4\x90\x80\x80",  // U+110000
      "\xF5\x80\x80\x80",  // no such lead
      "\xFE",
      "\xFF",           //
      "\xC3",           // cut short
      "\xE4\xBD",       //
      "\xF0\x9F\x98",   //
      "\xC3(",          // a lead without its continuation
      "\xE4(\xA0",      //
      "\xE4\xBD(",      //
      "\xF0\x9F\x98(",  //
      "\xF0\x9F(\x80",  //
  };
  for (const std::string& s : bad) {
    EXPECT_FALSE(valid_utf8(s)) << ::testing::PrintToString(s);
    EXPECT_EQ(find_invalid_utf8("ab\xC3\xBC" + s), 4u) << ::testing::PrintToString(s);
  }
}

TEST(Utf8, CodePointsAreWellFormedAndInOrder) {
  std::string before, edges;
  int64_t count = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c == 0xD800) c = 0xE000;
    std::string one;
    append_utf8(c, one);
    ASSERT_EQ(utf8_length_at(one, 0), one.size());
    ASSERT_TRUE(c == 0 || before < one);  // the order of bytes is that of code points
    before = one, ++count;
  }
  EXPECT_EQ(count, 0x110000 - 0x800);
  for (const char32_t c : U"a\x7F\u0080\u07FF\u0800\uFFFF\U00010000\U0010FFFF") append_utf8(c, edges);
  EXPECT_EQ(edges, std::string("a\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\0", 21));
}

TEST(Utf8, TellsTheLengthOfACharacter) {
  const std::string s = "a\xC3\xBC\xE4\xBD\xA0\xF0\x9F\x98\x80";
  EXPECT_EQ(utf8_length_at(s, 0), 1u);
  EXPECT_EQ(utf8_length_at(s, 1), 2u);
  EXPECT_EQ(utf8_length_at(s, 2), 0u);
  EXPECT_EQ(utf8_length_at(s, 3), 3u);
  EXPECT_EQ(utf8_length_at(s, 6), 4u);
  EXPECT_EQ(utf8_length_at(s, s.size()), 0u);
}

}  // namespace
}  // namespace lookback
