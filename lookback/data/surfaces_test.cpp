#include "lookback/base/error.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using Words = std::vector<std::string>;

TEST(Surfaces, OneForEveryId) {
  for (const char* kind : {"word", "char", "bpe", "unigram"}) {
    const auto t = train_tokenizer({.kind = kind, .size = 200}, from(sentences()));
    for (const std::string text : {"", "   ", "Ein Mädchen malt 漢字 und 漢 .", "Der\tHund ☃"})
      EXPECT_EQ(t->surfaces(text).size(), t->encode(text).size()) << kind << ": " << text;
    EXPECT_THROW(t->surfaces("\xFF"), FormatError) << kind;
  }
}

TEST(Surfaces, WordsThatAreNotKnownStand) {
  const auto t = train_tokenizer({.kind = "word", .split = "punctuation"}, from({"ein Haus ."}));
  EXPECT_EQ(t->surfaces("ein Zanzibar."), (Words{"ein", "Zanzibar", "."}));
  const auto lower = train_tokenizer({.kind = "word", .lowercase = true}, from({"ein haus"}));
  EXPECT_EQ(lower->surfaces("Ein ZANZIBAR"), (Words{"Ein", "ZANZIBAR"}));
}

TEST(Surfaces, CharactersThatAreNotKnownStand) {
  const auto chars = train_tokenizer({.kind = "char"}, from({"a b"}));
  EXPECT_EQ(chars->surfaces("a ř"), (Words{"a", "", "ř"}));
  for (const char* kind : {"bpe", "unigram"}) {
    const auto t = train_tokenizer({.kind = kind, .size = 200}, from(sentences()));
    const auto ids = t->encode("Der 漢字 Hund");
    const auto surfaces = t->surfaces("Der 漢字 Hund");
    for (size_t k = 0; k < ids.size(); ++k)
      EXPECT_TRUE(ids[k] != kUnk || surfaces[k] == "漢字") << kind << ": " << surfaces[k];
    EXPECT_EQ(surfaces.front().substr(0, 1), "D") << "no mark of a space";
  }
}

}  // namespace
}  // namespace lookback::data
