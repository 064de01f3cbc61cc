#include "lookback/data/feature_tokenizer.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

LineSource lines_of(StringList lines) {
  return [lines = std::move(lines), k = size_t{0}](std::string& line) mutable {
    if (k == lines.size()) return false;
    line = lines[k++];
    return true;
  };
}

std::shared_ptr<Tokenizer> letters() {
  return train_tokenizer({.kind = "char", .normalization = "identity"}, lines_of({"abc", "pos=V"}));
}

TEST(FeatureSymbols, AreLearntInAscendingOrder) {
  const LineSource lines = lines_of({"pos=V, num=SG ,", "", "num=PL,pos=V", "bad\xFF", " , "});
  EXPECT_EQ(FeatureSymbols::learn(lines, ","), (StringList{"num=PL", "num=SG", "pos=V"}));
  EXPECT_EQ(FeatureSymbols::learn(lines_of({"V;PST", "N"}), ";"), (StringList{"N", "PST", "V"}));
}

TEST(FeatureSymbols, HaveIdsInTheOrderOfTheCell) {
  const FeatureSymbols features({"a", "b=1", "c"}, ",", 10, "here");
  EXPECT_EQ(features.size(), 14);
  EXPECT_EQ(features.encode("c,a , b=1"), (std::vector<int32_t>{13, 11, 12}));
  EXPECT_EQ(features.encode("a,a"), (std::vector<int32_t>{11, 11}));
  EXPECT_EQ(features.encode(""), std::vector<int32_t>());
  EXPECT_EQ(features.encode("a,z"), (std::vector<int32_t>{11, 10})) << "one that is not known";
  EXPECT_EQ(features.unknown("a,z,y"), (StringList{"z", "y"}));
  EXPECT_EQ(features.piece(10), "<unk>");
  EXPECT_EQ(features.piece(12), "b=1");
  EXPECT_THROW(features.piece(9), ShapeError);
  EXPECT_THROW(features.piece(14), ShapeError);
  EXPECT_THROW(features.encode("\xFF"), FormatError);
}

TEST(FeatureSymbols, NamesThatAreNoneAreRefused) {
  for (const StringList& names : {StringList{"a,b"}, {""}, {" a"}, {"a", "a"}, {"\xFF"}})
    EXPECT_THROW(FeatureSymbols(names, ",", 4, "here"), FormatError) << names[0];
  EXPECT_THROW(FeatureSymbols({"a"}, "", 4, "here"), ConfigError);
}

TEST(FeatureTokenizer, PutsFeaturesBeforeTheText) {
  const auto texts = letters();
  const FeatureTokenizer both(texts, {"a", "pos=V"}, ",", "here");
  EXPECT_EQ(both.size(), texts->size() + 3);
  const std::vector<int32_t> ids = both.encode("pos=V,a", "ab");
  EXPECT_EQ(both.pieces(ids), (std::vector<std::string>{"pos=V", "a", "a", "b"}));
  EXPECT_NE(ids[1], ids[2]) << "the feature and the character of one name";
  EXPECT_EQ(both.surfaces("pos=V,a", "ab"), (std::vector<std::string>{"", "", "a", "b"}));
  EXPECT_EQ(both.decode(ids), "ab");
  EXPECT_EQ(both.encode("ab"), texts->encode("ab"));
  EXPECT_EQ(both.bytes(), texts->bytes());
  // No text can hold a feature.
  for (const char* text : {"pos=V", "a", "<unk>"})
    for (const int32_t id : both.encode(text)) EXPECT_LT(id, texts->size());
}

TEST(FeatureTokenizer, ATextWithoutSymbolsHasNoFeaturesEither) {
  const FeatureTokenizer both(letters(), {"a"}, ",", "here");
  EXPECT_TRUE(both.encode("a", "").empty());
  EXPECT_TRUE(both.surfaces("a", "").empty());
  EXPECT_EQ(both.encode("", "b").size(), 1U);
}

}  // namespace
}  // namespace lookback::data
