#include "lookback/data/word_corpus.h"

#include "lookback/base/error.h"
#include "lookback/data/character_ngrams.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using Words = std::vector<std::string>;

class WordCorpusTest : public FolderTest {
 protected:
  std::string refusal(const std::string& bytes, CorpusOptions options = {}) const {
    const Words paths{file("text", bytes)};
    try {
      read_word_corpus(paths, options);
    } catch (const Error& e) {
      return local(e.what());
    }
    return "";
  }
};

TEST_F(WordCorpusTest, FrequentWordsComeFirstAndRareOnesGo) {
  const Words paths{file("a", "b a\tb  c\r\n\n\v\na a d\n"), gz("b.gz", "b c \xff Ä\n")};
  const WordCorpus text = read_word_corpus(paths, {.min_count = 2});
  EXPECT_EQ(text.words, (Words{"b", "a", "c"}));
  EXPECT_EQ(text.counts, (std::vector<int64_t>{3, 3, 2}));
  EXPECT_EQ(text.tokens, (std::vector<int32_t>{0, 1, 0, 2, 1, 1, 0, 2}));
  EXPECT_EQ(text.sentences, (std::vector<int64_t>{0, 4, 6, 8}));
  EXPECT_EQ(text.tokens_in_text, 10);
  EXPECT_EQ(text.distinct_words, 5);
  EXPECT_EQ(text.unreadable, 1);
}

TEST_F(WordCorpusTest, LowercaseAndLongLines) {
  std::string line;
  for (int k = 0; k < 25'000; ++k) line += k % 2 ? "Ä " : "ä ";
  const Words paths{file("text", line)};
  EXPECT_EQ(read_word_corpus(paths, {.min_count = 1}).words, (Words{"ä", "Ä"}));
  const WordCorpus text = read_word_corpus(paths, {.min_count = 1, .lowercase = true});
  EXPECT_EQ(text.words, Words{"ä"});
  EXPECT_EQ(text.sentences, (std::vector<int64_t>{0, 10'000, 20'000, 25'000}));
}

TEST_F(WordCorpusTest, WhatHasNoWordsIsRefused) {
  EXPECT_EQ(refusal(""), "text: no words in it; expected lines of text");
  EXPECT_EQ(refusal(" \n\t\n"), "text: no words in it; expected lines of text");
  EXPECT_EQ(refusal("\xff"), "text: no words in it that are UTF-8; expected lines of text");
  EXPECT_EQ(refusal("a b b"),
            "text: no word is there 5 times, the most frequent one 2 times; take more text, or a smaller min_count");
}

// n-grams of fastText's own example, "<where>" of Bojanowski et al. 2017: <wh, whe, her, ere, re>.
TEST(CharacterNgrams, AreThoseOfThePaper) {
  const auto fnv = [](const std::string& s) {
    uint32_t hash = 2166136261U;
    for (const char c : s) hash = (hash ^ static_cast<uint32_t>(static_cast<int8_t>(c))) * 16777619U;
    return hash;
  };
  EXPECT_EQ(character_ngrams("where", 3, 3),
            (std::vector<uint32_t>{fnv("<wh"), fnv("whe"), fnv("her"), fnv("ere"), fnv("re>")}));
  EXPECT_EQ(character_ngrams("ä", 1, 6), (std::vector<uint32_t>{fnv("<ä"), fnv("<ä>"), fnv("ä"), fnv("ä>")}));
  EXPECT_TRUE(character_ngrams("</s>", 3, 6).empty());
}

}  // namespace
}  // namespace lookback::data
