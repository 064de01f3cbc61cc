#include "lookback/data/extended_vocabulary.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/data/removal.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

std::shared_ptr<Tokenizer> learn(const StringList& lines, const TokenizerOptions& options) {
  return train_tokenizer(options, from(lines));
}

TEST(ExtendedVocabulary, UnknownWordsAreNumberedWhereTheyFirstStand) {
  const auto words = learn({"the cat sat"}, {.kind = "word"});
  const ExtendedVocabulary extended(words, words);
  const auto V = static_cast<int32_t>(words->size());
  const auto the = words->encode("the")[0];
  EXPECT_EQ(extended.encode("Rex the dog Rex"), (std::vector<int32_t>{V, the, V + 1, V}));
  EXPECT_EQ(extended.encode_beside("dog Rex the cow", "Rex the dog Rex"), (std::vector<int32_t>{V + 1, V, the, kUnk}));
  EXPECT_EQ(extended.encode_beside("the cat", "Rex"), words->encode("the cat"));
  EXPECT_EQ(extended.read("Rex the dog Rex").own_words, (StringList{"Rex", "dog"}));
  EXPECT_TRUE(extended.encode("").empty());
}

TEST(ExtendedVocabulary, OnlyWhatIsReadOfASourceCanBeCopied) {
  const auto words = learn({"the cat sat"}, {.kind = "word"});
  const ExtendedVocabulary extended(words, words, 2);
  const auto V = static_cast<int32_t>(words->size());
  EXPECT_EQ(extended.encode("Rex the dog"), (std::vector<int32_t>{V, words->encode("the")[0]}));
  EXPECT_EQ(extended.encode_beside("dog Rex", "Rex the dog"), (std::vector<int32_t>{kUnk, V}));
  EXPECT_EQ(extended.read("Rex the dog").own_words, (StringList{"Rex"}));
}

TEST(ExtendedVocabulary, CaseIsThatOfTheVocabulary) {
  const auto as_written = learn({"the cat"}, {.kind = "word"});
  const auto lower = learn({"the cat"}, {.kind = "word", .lowercase = true});
  const auto V = static_cast<int32_t>(lower->size());
  EXPECT_EQ(ExtendedVocabulary(lower, lower).encode("Rex THE rex"),
            (std::vector<int32_t>{V, lower->encode("the")[0], V}));
  EXPECT_EQ(ExtendedVocabulary(lower, lower).read("Rex rex").own_words, (StringList{"Rex"}));
  EXPECT_EQ(ExtendedVocabulary(as_written, as_written).read("Rex rex").own_words, (StringList{"Rex", "rex"}));
}

TEST(ExtendedVocabulary, TwoVocabulariesAreComparedByText) {
  const auto source = learn({"abc d"}, {.kind = "char"}), target = learn({"bcx y"}, {.kind = "char"});
  const ExtendedVocabulary extended(source, target);
  const auto V = static_cast<int32_t>(target->size());
  const auto id = [&](const char* c) { return target->encode(c)[0]; };
  // The space of a source is that of the target; 'a' is known to the source alone, '?' to neither.
  const auto space = target->encode("b b")[1];
  EXPECT_EQ(extended.encode("ab ?a"), (std::vector<int32_t>{V, id("b"), space, V + 1, V}));
  EXPECT_EQ(extended.encode_beside("xa?z", "ab ?a"), (std::vector<int32_t>{id("x"), V, V + 1, kUnk}));
  const auto spaceless = learn({"bcx"}, {.kind = "char"});
  EXPECT_EQ(ExtendedVocabulary(source, spaceless).encode("b b")[1], kPad);
}

TEST(ExtendedVocabulary, WhatIsTakenOutOfTargetsIsNotCopied) {
  const auto source = learn({"a1b2"}, {.kind = "char"});
  const auto target = std::make_shared<RemovingTokenizer>(learn({"ab"}, {.kind = "char"}), Removal("[0-9]", "test"));
  EXPECT_EQ(ExtendedVocabulary(source, target).encode("a1?"),
            (std::vector<int32_t>{target->encode("a")[0], kPad, static_cast<int32_t>(target->size())}));
}

TEST(ExtendedVocabulary, PiecesOfTwoVocabulariesCannotBeCompared) {
  const StringList lines = sentences();
  const auto a = learn(lines, {.kind = "bpe", .size = 80}), b = learn(lines, {.kind = "bpe", .size = 90});
  EXPECT_THROW(ExtendedVocabulary(a, b), ConfigError);
  const ExtendedVocabulary one(a, a);
  EXPECT_EQ(one.encode(lines[0]), a->encode(lines[0]));
}

}  // namespace
}  // namespace lookback::data
