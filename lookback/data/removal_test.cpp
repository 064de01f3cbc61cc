#include "lookback/data/removal.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

TEST(Removal, TakesOutEveryMatch) {
  EXPECT_EQ(Removal("[0-9]", "key")("B AW1 T0"), "B AW T");
  EXPECT_EQ(Removal("", "key")("a1"), "a1");
  EXPECT_EQ(Removal("x*", "key")("axxb"), "ab");
  EXPECT_EQ(Removal("^a|b$", "key")("abab"), "ba");
  EXPECT_EQ(Removal(".*", "key")("all of it"), "");
}

TEST(Removal, CountsCodePoints) {
  EXPECT_EQ(Removal("[ˈˌ]", "key")("ˈʃuːˌɹy"), "ʃuːɹy");
  EXPECT_EQ(Removal("^.", "key")("日本"), "本");
  EXPECT_EQ(Removal("é", "key")("éàé"), "à");
  EXPECT_THROW(Removal("a", "key")("\xFF"), FormatError);
}

TEST(Removal, WhatIsNoExpressionIsRefused) {
  for (const char* pattern : {"[0-9", "(", "*", "a{2"}) try {
      Removal(pattern, "data.target_remove");
      ADD_FAILURE() << pattern;
    } catch (const ConfigError& e) {
      EXPECT_TRUE(std::string(e.what()).starts_with(std::string("data.target_remove = '") + pattern +
                                                    "' is no regular expression"))
          << e.what();
    }
  EXPECT_THROW(Removal("\xFF", "key"), ConfigError);
}

// Matching by recursion would end the program.
TEST(Removal, LongTextsNeedNoDeepStack) {
  const std::string text(300'000, 'a');
  EXPECT_EQ(Removal("(a|b)*c", "key")(text + "c1"), "1");
  EXPECT_EQ(Removal("b", "key")(text), text);
}

TEST(RemovingTokenizer, SeesWhatIsLeft) {
  const StringList lines{"B AW T"};
  size_t k = 0;
  const std::shared_ptr<Tokenizer> words =
      train_tokenizer({.kind = "word", .normalization = "identity", .split = "space"},
                      [&](std::string& line) { return k < lines.size() ? (line = lines[k++], true) : false; });
  const RemovingTokenizer removing(words, Removal("[0-9]", "key"));
  EXPECT_EQ(removing.encode("B AW1 T"), words->encode("B AW T"));
  EXPECT_EQ(removing.surfaces("AW1 2 X9"), (std::vector<std::string>{"AW", "X"}));
  EXPECT_EQ(removing.decode(removing.encode("AW1")), "AW");
  EXPECT_EQ(removing.bytes(), words->bytes());
  EXPECT_EQ(removing.size(), words->size());
}

}  // namespace
}  // namespace lookback::data
