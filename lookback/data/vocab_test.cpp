#include "lookback/data/vocab.h"

#include "lookback/base/error.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

TEST(Vocab, NumbersPiecesAfterTheSpecials) {
  const Vocab v({"b", "a"});
  EXPECT_EQ(v.size(), 6);
  EXPECT_EQ(v.piece(kUnk), "<unk>");
  EXPECT_EQ(v.piece(kBos), "<s>");
  EXPECT_EQ(v.piece(kEos), "</s>");
  EXPECT_EQ(v.piece(kPad), "<pad>");
  EXPECT_EQ(v.id("b"), 4);
  EXPECT_EQ(v.id("a"), 5);
  EXPECT_EQ(v.piece(5), "a");
  EXPECT_EQ(v.id("c"), kUnk);
}

TEST(Vocab, TextCannotNameASpecial) {
  for (const auto name : kSpecialNames) EXPECT_EQ(Vocab({"a"}).id(name), kUnk) << name;
}

TEST(Vocab, RefusesDoubtfulPieces) {
  EXPECT_THROW(Vocab({"a", ""}), FormatError);
  EXPECT_THROW(Vocab({"a", "b", "a"}), FormatError);
  EXPECT_THROW(Vocab({"</s>"}), FormatError);
  EXPECT_THROW(Vocab({"a"}).piece(5), ShapeError);
  EXPECT_THROW(Vocab({"a"}).piece(-1), ShapeError);
}

TEST(Vocab, MostFrequentFirstThenByBytes) {
  const PieceCounts counts = {{"x", 2}, {"b", 3}, {"a", 3}, {"once", 1}, {"<s>", 9}};
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(most_frequent(counts, 100, 1), (Pieces{"a", "b", "x", "once"}));
  EXPECT_EQ(most_frequent(counts, 100, 2), (Pieces{"a", "b", "x"}));
  EXPECT_EQ(most_frequent(counts, 6, 1), (Pieces{"a", "b"}));
  EXPECT_EQ(most_frequent(counts, 2, 1), Pieces{});
}

}  // namespace
}  // namespace lookback::data
