#include "lookback/data/spelling.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

using Ids = std::vector<int32_t>;

LineSource from(std::vector<std::string> lines) {
  return [lines = std::move(lines), k = size_t{0}](std::string& line) mutable {
    return k < lines.size() ? (line = lines[k++], true) : false;
  };
}

std::shared_ptr<const Tokenizer> words(bool lowercase) {
  return train_tokenizer({.kind = "word", .lowercase = lowercase}, from({"x"}));
}

// The case of each word of a text.
Ids cases(const std::string& text, bool lowercase = false) {
  Ids out;
  for (const int32_t id : Spelling(words(lowercase), {}, "x").encode(text))
    if (id < Spelling::kCases) out.push_back(id);
  return out;
}

TEST(Spelling, CasesOfWords) {
  EXPECT_EQ(cases("word Word WORD wOrd W w2 2 ! ÄÖ über Über 日本"), (Ids{0, 1, 2, 3, 1, 4, 4, 5, 2, 0, 1, 5}));
  EXPECT_EQ(cases("Word WORD", true), (Ids{1, 2}))
      << "of the text as it is written, whatever the tokenizer makes of it";
}

TEST(Spelling, CharactersMostFrequentFirst) {
  const auto tokenizer = words(true);
  const Spelling s = Spelling::learn(from({"abba b", "Ab"}), tokenizer);
  EXPECT_EQ(s.alphabet(), (std::vector<std::string>{"b", "a", "A"}));
  EXPECT_EQ(s.characters(), 4);
  EXPECT_EQ(s.size(), 10);
  EXPECT_EQ(s.encode("ba Ax"), (Ids{0, 7, 8, 1, 9, 6})) << "6 is what training has not";
  EXPECT_EQ(s.encode(""), Ids());
  const std::string longest(100, 'a');
  EXPECT_EQ(std::ssize(s.encode(longest)), 1 + Spelling::kLongestWord);
  EXPECT_THROW(s.encode("\xff"), FormatError);
}

TEST(Spelling, AnAlphabetThatIsNone) {
  EXPECT_THROW(Spelling(words(false), {"ab"}, "x"), FormatError);
  EXPECT_THROW(Spelling(words(false), {"a", "a"}, "x"), FormatError);
  EXPECT_THROW(Spelling(words(false), {""}, "x"), FormatError);
  EXPECT_THROW(Spelling(words(false), {"\xff"}, "x"), FormatError);
}

}  // namespace
}  // namespace lookback::data
