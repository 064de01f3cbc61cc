#include "lookback/data/subword_sampling.h"

#include <cmath>
#include <map>

#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using Ids = std::vector<int32_t>;

SpmModel model(const std::string& kind, const std::vector<std::pair<std::string, float>>& pieces) {
  SpmModel m{.kind = kind, .pieces = {{"<unk>", 0, SpmPieceType::unknown}}};
  for (const auto& name : {"<s>", "</s>", "<pad>"}) m.pieces.push_back({name, 0, SpmPieceType::control});
  for (const auto& [text, score] : pieces) m.pieces.push_back({text, score, SpmPieceType::normal});
  return m;
}

// How often each cut of `text` came up in n draws.
template <class Sampler>
std::map<Ids, double> shares(const Sampler& s, const std::string& text, double strength, int n) {
  std::map<Ids, double> out;
  Rng rng(11);
  for (int k = 0; k < n; ++k) out[s.sample(text, strength, rng)] += 1.0 / n;
  return out;
}

// abab over {a, b, ab, aba}: all five cuts, with their probabilities by hand.
TEST(UnigramSampler, DrawsEveryCutByItsProbability) {
  const std::vector<std::pair<std::string, float>> pieces = {{"a", -1.0f}, {"b", -1.5f}, {"ab", -2.0f}, {"aba", -2.5f}};
  const UnigramSampler sampler(model("unigram", pieces));
  for (const double alpha : {0.3, 1.0, 2.0}) {
    std::map<Ids, double> expected;
    double total = 0;
    for (const Ids& cut : {Ids{4, 5, 4, 5}, Ids{6, 4, 5}, Ids{4, 5, 6}, Ids{6, 6}, Ids{7, 5}}) {
      double score = 0;
      for (const int32_t id : cut) score += pieces[static_cast<size_t>(id - 4)].second;
      total += expected[cut] = std::exp(alpha * score);
    }
    const auto seen = shares(sampler, "abab", alpha, 40000);
    EXPECT_EQ(seen.size(), expected.size());
    for (const auto& [cut, weight] : expected) EXPECT_NEAR(seen.at(cut), weight / total, 0.012) << alpha;
  }
}

// "ab c" style words; merges a+b (best), then ab+c, and b+c (worst). The chances follow by hand from
// "each possible merge is left out with chance p, the best of the rest is done":
// first step: ab+.. with 1-p, else b+c with p(1-p), else nothing with p^2.
TEST(BpeSampler, DropsEachPossibleMergeWithItsChance) {
  const BpeSampler sampler(model("bpe", {{"a", -10}, {"b", -11}, {"c", -12}, {"ab", 0}, {"abc", -1}, {"bc", -2}}));
  const double p = 0.3;
  const auto seen = shares(sampler, "abc", p, 40000);
  // After ab: abc is possible, done with 1-p. After bc: a+bc is abc too.
  EXPECT_NEAR(seen.at({9 - 1}), (1 - p) * (1 - p) + p * (1 - p) * (1 - p), 0.012);  // abc
  EXPECT_NEAR(seen.at({7, 6}), (1 - p) * p, 0.012);                                 // ab c
  EXPECT_NEAR(seen.at({4, 9}), p * (1 - p) * p, 0.012);                             // a bc
  EXPECT_NEAR(seen.at({4, 5, 6}), p * p, 0.012);                                    // a b c
  EXPECT_EQ(seen.size(), 4u);
}

// x and y are known only together: taking them as unknown costs ten below the worst piece, each.
TEST(UnigramSampler, UnknownIsTheLastResort) {
  const UnigramSampler sampler(model("unigram", {{"a", -1}, {"xy", -3}}));
  EXPECT_EQ(shares(sampler, "xya", 1, 1000),
            (std::map<Ids, double>{{Ids{5, 4}, shares(sampler, "a", 1, 1000).at({4})}}));
  EXPECT_NEAR(shares(sampler, "xy", 0.05, 40000).at({kUnk}), 1 / (1 + std::exp(0.05 * 23)), 0.012);
}

// A merge that was left out may still come later, as long as others are done before it: cd does not
// touch ab, and so gives ab a second chance.
TEST(BpeSampler, LeftOutMergesMayComeLater) {
  const BpeSampler sampler(model("bpe", {{"a", -10}, {"b", -11}, {"c", -12}, {"d", -13}, {"ab", 0}, {"cd", -1}}));
  const double p = 0.4;
  const auto seen = shares(sampler, "abcd", p, 40000);
  EXPECT_NEAR(seen.at({8, 9}), (1 - p) * (1 - p) * (1 + p), 0.012);  // ab cd
  EXPECT_NEAR(seen.at({8, 6, 7}), (1 - p) * p, 0.012);               // ab c d
  EXPECT_NEAR(seen.at({4, 5, 9}), p * (1 - p) * p, 0.012);           // a b cd
  EXPECT_NEAR(seen.at({4, 5, 6, 7}), p * p, 0.012);                  // a b c d
}

// A word of many: each is finished by itself, so a neighbour's merges give no second chance.
TEST(BpeSampler, WordsDoNotAffectEachOther) {
  const BpeSampler sampler(model("bpe", {{"▁", -10}, {"a", -11}, {"b", -12}, {"ab", 0}}));
  const auto seen = shares(sampler, "▁ab▁ab▁ab", 0.5, 40000);
  EXPECT_EQ(seen.size(), 8u);
  for (const auto& [cut, share] : seen) EXPECT_NEAR(share, 0.125, 0.01);
}

TEST(BpeSampler, NoDropoutIsBpe) {
  const BpeSampler sampler(model("bpe", {{"a", -10}, {"aa", -1}, {"aaaa", -2}}));
  Rng rng(1);
  EXPECT_EQ(sampler.sample("aaaaa", 0, rng), (Ids{6, 4}));
  EXPECT_EQ(rng.position(), 0u);
  EXPECT_EQ(sampler.sample("", 0, rng), Ids{});
}

TEST(Samplers, UnknownStretchesAreOneUnknown) {
  Rng rng(1);
  EXPECT_EQ(BpeSampler(model("bpe", {{"a", -1}})).sample("xyaéz▁▁a", 0.5, rng), (Ids{kUnk, 4, kUnk, 4}));
  EXPECT_EQ(UnigramSampler(model("unigram", {{"a", -1}})).sample("xyaéz▁▁a", 0.5, rng), (Ids{kUnk, 4, kUnk, 4}));
}

TEST(BpeSampler, SpaceAsSuffix) {
  SpmModel m = model("bpe", {{"a", -10}, {"▁", -11}, {"a▁", 0}, {"▁a", 1}});
  m.space_is_suffix = true;
  Rng rng(1);
  EXPECT_EQ(BpeSampler(m).sample("a▁a▁", 0, rng), (Ids{6, 6}));
  m.space_is_suffix = false;
  EXPECT_EQ(BpeSampler(m).sample("▁a▁a", 0, rng), (Ids{7, 7}));
}

}  // namespace
}  // namespace lookback::data
