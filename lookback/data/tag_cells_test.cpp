#include "lookback/data/tag_cells.h"

#include "lookback/base/error.h"
#include "lookback/data/table.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using Views = std::vector<std::string_view>;
using Ids = std::vector<int32_t>;

TEST(TagScheme, Bio) {
  const auto first = [](const Views& tags) { return first_forbidden(TagScheme::bio, tags); };
  EXPECT_EQ(first({"O", "B-PER", "I-PER", "I-PER", "B-LOC", "B-LOC", "O"}), std::nullopt);
  EXPECT_EQ(first({"I-PER"}), 0);
  EXPECT_EQ(first({"O", "I-PER"}), 1);
  EXPECT_EQ(first({"B-LOC", "I-PER"}), 1);
  EXPECT_EQ(first({"B", "I", "O"}), std::nullopt);
  EXPECT_EQ(first({"B", "I-PER"}), 1);
  EXPECT_EQ(first({"NOUN", "IN", "Be"}), std::nullopt);  // outside, all of them
  EXPECT_EQ(first({"B-PER", "E-PER"}), std::nullopt);
  EXPECT_EQ(first({}), std::nullopt);
}

TEST(TagScheme, Bioes) {
  const auto first = [](const Views& tags) { return first_forbidden(TagScheme::bioes, tags); };
  EXPECT_EQ(first({"S-PER", "B-LOC", "I-LOC", "E-LOC", "O", "B-LOC", "E-LOC", "S-LOC"}), std::nullopt);
  EXPECT_EQ(first({"B-LOC", "O"}), 1);
  EXPECT_EQ(first({"B-LOC", "B-LOC"}), 1);
  EXPECT_EQ(first({"B-LOC", "E-PER"}), 1);
  EXPECT_EQ(first({"E-LOC"}), 0);
  EXPECT_EQ(first({"S-LOC", "I-LOC"}), 1);
  EXPECT_EQ(first({"E-LOC", "I-LOC"}), 0);
  EXPECT_EQ(first({"O", "B-LOC"}), 2);  // may not end so
  EXPECT_EQ(first({"B-LOC", "I-LOC"}), 2);
}

TEST(TagScheme, None) {
  EXPECT_EQ(first_forbidden(parse_tag_scheme("none"), Views{"I-LOC", "E-PER"}), std::nullopt);
  EXPECT_THROW(parse_tag_scheme("iob"), ConfigError);
}

TEST(TagCells, MembersAreLinesOrWords) {
  EXPECT_EQ(members_of("a  b\tc", SequenceUnit::token), (Views{"a", "b", "c"}));
  EXPECT_EQ(members_of("New York\nis\n\nbig", SequenceUnit::token), (Views{"New York", "is", "", "big"}));
  EXPECT_EQ(members_of(" hi there __eou__ you ? __eou__", SequenceUnit::text), (Views{"hi there", "you ?"}));
  EXPECT_EQ(members_of("hi there\n\n you ?", SequenceUnit::text), (Views{"hi there", "", "you ?"}));
  EXPECT_EQ(members_of("hi there", SequenceUnit::text), (Views{"hi there"}));
  EXPECT_EQ(members_of(" \n ", SequenceUnit::token), Views());
  EXPECT_THROW(members_of("\xFF", SequenceUnit::token), FormatError);
  EXPECT_EQ(tag_line(tags_of("B-LOC\nof  a place\nO")), "B-LOC of_a_place O");
}

std::shared_ptr<const Tokenizer> words() {
  std::vector<std::string> lines = {"a b New c d"};
  return train_tokenizer({.kind = "word", .size = 20, .split = "space"}, [&](std::string& line) {
    if (lines.empty()) return false;
    line = lines[0];
    lines.clear();
    return true;
  });
}

TEST(TagCells, EachTokenHasOneId) {
  const auto tokenizer = words();
  const TokenCells cells(tokenizer);
  const Ids a = tokenizer->encode("a"), c = tokenizer->encode("c");
  EXPECT_EQ(cells.encode("a\nNew York\n\nx\nc"), (Ids{a[0], kUnk, kUnk, kUnk, c[0]}));
  EXPECT_EQ(cells.encode("a x c"), (Ids{a[0], kUnk, c[0]}));
  const auto spelling = std::make_shared<Spelling>(tokenizer, std::vector<std::string>{"a", "b"}, "test");
  const int32_t n = Spelling::kCases;
  // Of "a B" both parts, under the case of the first; of nothing no letters.
  EXPECT_EQ(TokenSpellingCells(spelling).encode("a\na B\n\nb"), (Ids{0, n + 1, 0, n + 1, n, 5, 0, n + 2}));
}

TEST(TagCells, TextsEndEach) {
  const auto tokenizer = words();
  const Ids a = tokenizer->encode("a"), c = tokenizer->encode("c");
  const Ids ids = TextCells(tokenizer).encode("a c __eou__  __eou__ c __eou__");
  EXPECT_EQ(ids, (Ids{a[0], c[0], kEos, kEos, c[0], kEos}));
  EXPECT_EQ(TextCells::texts(ids), (std::vector<Ids>{{a[0], c[0]}, {}, {c[0]}}));
}

TEST(TagCells, WhatIsNoExample) {
  const auto tags = std::make_shared<TagSet>(StringList{"O", "B-X", "I-X"}, "data.train");
  EXPECT_EQ(tags->tags(), (StringList{"B-X", "I-X", "O"}));
  EXPECT_EQ(tags->id("O"), 2);
  EXPECT_EQ(tags->id("P"), -1);
  const TagCells cells(tags, TagScheme::bio, SequenceUnit::token);
  const auto beside = [&](std::string_view tags_cell, std::string_view tokens) {
    return cells.encode_beside(tags_cell, std::array{tokens});
  };
  EXPECT_EQ(beside("O B-X I-X", "a b c"), (Ids{2, 0, 1}));
  EXPECT_EQ(beside("O B-X", "a b c"), Ids());
  EXPECT_EQ(cells.why_none("tags", "O B-X"), "other than one tag for each token");
  EXPECT_EQ(beside("O I-X", "a b"), Ids());
  EXPECT_EQ(cells.why_none("tags", "O I-X"), "tags that bio forbids");
  EXPECT_EQ(beside("O\nP", "a b"), Ids());
  EXPECT_EQ(cells.why_none("tags", "O\nP"), "a tag that training has not");
  EXPECT_EQ(cells.why_none("tags", " "), "the tags is empty");
  EXPECT_EQ(TagCells(tags, TagScheme::none, SequenceUnit::token).encode("O I-X"), (Ids{2, 1}));
  EXPECT_THROW(TagSet({"O"}, "data.train"), FormatError);
  EXPECT_THROW(TagSet({"O", "O"}, "data.train"), FormatError);
  EXPECT_THROW(TagSet({"O", "B X"}, "data.train"), FormatError);
}

}  // namespace
}  // namespace lookback::data
