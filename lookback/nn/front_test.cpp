#include "lookback/nn/front.h"

#include <cstring>

#include "lookback/base/precision.h"
#include "lookback/nn/init.h"
#include "lookback/ops/loss.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

constexpr int64_t kVocabulary = 7, kAlphabet = 5;
const std::vector<int32_t> kTokens = {3, 1, 3, 0, 6};

Spellings spelt(const std::vector<int32_t>& cases, const std::vector<std::vector<int32_t>>& characters) {
  Spellings out;
  for (size_t n = 0; n < cases.size(); ++n) out.add(cases[n], characters[n]);
  return out;
}

const Spellings kSpellings = spelt({0, 1, 0, 5, 2}, {{1, 2}, {0}, {1, 2}, {}, {4, 3, 4, 1}});

// The token at a place, as it is alone.
Spellings spelling_of(size_t n) {
  Spellings out;
  out.add(kSpellings.cases[n], kSpellings.characters_of(n));
  return out;
}

std::vector<FrontOptions> kinds() {
  return {
      {.embedding = 3},
      {.embedding = 3, .spelling = {.capitals = 2}},
      {.embedding = 2, .spelling = {.characters = {.kind = "lstm", .embedding = 3, .hidden = 2}}},
      {.embedding = 2,
       .spelling = {.characters = {.kind = "convolution", .embedding = 3, .hidden = 4, .kernel = 2}, .capitals = 1}}};
}

// Tokens of one text.
Var read(const Front& front, const std::vector<int32_t>& tokens, const Spellings& spellings) {
  const Ragged shape(std::vector<int64_t>{std::ssize(tokens)});
  return rows_in(front(tokens, spellings, shape, RowOrder::by_sequence), RowOrder::by_step);
}

TEST(Front, AWordIsReadAsItIsAlone) {
  for (const FrontOptions& o : kinds()) {
    Front front(o, kVocabulary, kAlphabet, "model");
    initialise(params_of(front), {}, 1);
    const Tensor all = read(front, kTokens, kSpellings).value();
    ASSERT_EQ(all.shape(), (Shape{5, front.width()}));
    for (size_t n = 0; n < kTokens.size(); ++n) {
      const Tensor one = read(front, {kTokens[n]}, spelling_of(n)).value();
      for (int64_t c = 0; c < front.width(); ++c)
        EXPECT_EQ(one.data<float>()[c], all.data<float>()[static_cast<int64_t>(n) * front.width() + c]);
    }
    // The same word twice, and a width that is the sum of its parts.
    for (int64_t c = 0; c < front.width(); ++c)
      EXPECT_EQ(all.data<float>()[c], all.data<float>()[2 * front.width() + c]);
  }
  EXPECT_EQ(Front(kinds()[3], 7, 5, "model").width(), 2 + 4 + 1);
  EXPECT_EQ(Front(kinds()[2], 7, 5, "model").width(), 2 + 2 * 2);
}

TEST(Front, WithoutGradientsItGivesTheSameBits) {
  for (const FrontOptions& o : kinds()) {
    Front front(o, kVocabulary, kAlphabet, "model");
    initialise(params_of(front), {}, 1);
    const auto expect_same = [&](const std::vector<int32_t>& tokens, const Spellings& spellings) {
      const Tensor want = read(front, tokens, spellings).value();
      const NoGrad off;
      const Tensor got = read(front, tokens, spellings).value();
      ASSERT_EQ(got.shape(), want.shape());
      ASSERT_EQ(std::memcmp(got.bytes(), want.bytes(), static_cast<size_t>(want.byte_size())), 0);
    };
    expect_same({kTokens[1]}, spelling_of(1));
    expect_same(kTokens, kSpellings);
    // Words that differ in one thing alone.
    expect_same({3, 3, 3, 2, 3}, spelt({0, 1, 0, 0, 0}, {{1, 2}, {1, 2}, {1}, {1, 2}, {}}));
    expect_same({}, {});
    for (const NamedVar& p : params_of(front)) {
      for (float& x : p.var.value().span<float>()) x += 1;
      p.var.touch();
      expect_same(kTokens, kSpellings);
    }
    const PrecisionScope scope(Precision::bf16);
    expect_same(kTokens, kSpellings);
  }
}

TEST(Front, EveryTableLearns) {
  for (const FrontOptions& o : kinds()) {
    Front front(o, kVocabulary, kAlphabet, "model");
    initialise(params_of(front), {}, 1);
    const Var x = read(front, kTokens, kSpellings);
    backward(
        ops::projected_xent(x, Var::parameter(Tensor::full({2, front.width()}, 0.3)), {}, {0, 1, 1, 0, 1}, {}).loss);
    for (const NamedVar& p : params_of(front)) EXPECT_TRUE(p.var.row_grad() || !p.var.grad().empty()) << p.name;
  }
}

TEST(Front, WhatStaysAsItIsInInt8) {
  const auto kept = [](size_t k, bool exact) { return Front(kinds()[k], 7, 5, "model").kept_from_int8(exact); };
  EXPECT_EQ(kept(0, false), StringList());
  EXPECT_EQ(kept(0, true), StringList{"embedding.weight"});
  EXPECT_EQ(kept(1, false), (StringList{"embedding.weight", "capitals.weight"}));
  EXPECT_EQ(kept(2, false), (StringList{"embedding.weight"}));
  EXPECT_EQ(kept(3, false), (StringList{"embedding.weight", "characters.embedding.weight", "capitals.weight"}));
}

TEST(Front, BadInput) {
  const Front front(kinds()[3], kVocabulary, kAlphabet, "model");
  EXPECT_THROW(read(front, {7}, spelt({0}, {{}})), ShapeError);
  EXPECT_THROW(read(front, {1}, spelt({6}, {{}})), ShapeError);
  EXPECT_THROW(read(front, {1}, spelt({0}, {{5}})), ShapeError);
  EXPECT_THROW(read(front, {1}, {.cases = {}, .characters = {1}, .ends = {1}}), ShapeError);
  EXPECT_THROW(read(front, {1}, {.cases = {0}}), ShapeError);
  EXPECT_THROW(Front({.spelling = {.characters = {.kernel = 4}}}, 7, 5, "model"), ConfigError);
}

}  // namespace
}  // namespace lookback
