#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "lookback/decode/draw.h"
#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// How often each token is drawn at `draws` evenly spread u: the distribution itself.
std::map<int32_t, double> distribution(const std::vector<float>& logits, const Shaping& shaping,
                                       const std::vector<int32_t>& excluded = {}) {
  std::map<int32_t, double> out;
  DrawScratch scratch;
  constexpr int kDraws = 20000;
  for (int k = 0; k < kDraws; ++k) out[draw(logits, excluded, shaping, (k + 0.5) / kDraws, scratch)] += 1.0 / kDraws;
  return out;
}

void expect_distribution(const std::map<int32_t, double>& actual, const std::map<int32_t, double>& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  for (const auto& [token, p] : expected)
    EXPECT_NEAR(actual.count(token) ? actual.at(token) : 0.0, p, 2e-4) << "token " << token;
}

std::vector<float> logs(const std::vector<double>& probabilities) {
  std::vector<float> out;
  for (const double p : probabilities) out.push_back(static_cast<float>(std::log(p) + 3));
  return out;
}

TEST(Draw, FollowsTheSoftmax) {
  expect_distribution(distribution(logs({0.1, 0.2, 0.05, 0.4, 0.25}), {}),
                      {{0, 0.1}, {1, 0.2}, {2, 0.05}, {3, 0.4}, {4, 0.25}});
}

TEST(Draw, TemperatureDividesTheLogits) {
  // p^2 and sqrt(p), normalised.
  expect_distribution(distribution(logs({0.2, 0.3, 0.5}), {.temperature = 0.5}),
                      {{0, 0.04 / 0.38}, {1, 0.09 / 0.38}, {2, 0.25 / 0.38}});
  const double sum = std::sqrt(0.2) + std::sqrt(0.3) + std::sqrt(0.5);
  expect_distribution(distribution(logs({0.2, 0.3, 0.5}), {.temperature = 2}),
                      {{0, std::sqrt(0.2) / sum}, {1, std::sqrt(0.3) / sum}, {2, std::sqrt(0.5) / sum}});
}

TEST(Draw, TopK) {
  expect_distribution(distribution(logs({0.1, 0.2, 0.05, 0.4, 0.25}), {.top_k = 2}),
                      {{3, 0.4 / 0.65}, {4, 0.25 / 0.65}});
  expect_distribution(distribution(logs({0.25, 0.25, 0.25, 0.25}), {.top_k = 3}),
                      {{0, 1 / 3.}, {1, 1 / 3.}, {2, 1 / 3.}});
}

TEST(Draw, TopPKeepsTheSmallestSetThatReachesP) {
  const auto logits = logs({0.1, 0.2, 0.05, 0.4, 0.25});
  expect_distribution(distribution(logits, {.top_p = 0.3}), {{3, 1.0}});
  expect_distribution(distribution(logits, {.top_p = 0.64}), {{3, 0.4 / 0.65}, {4, 0.25 / 0.65}});
  expect_distribution(distribution(logits, {.top_p = 0.66}), {{3, 0.4 / 0.85}, {4, 0.25 / 0.85}, {1, 0.2 / 0.85}});
  expect_distribution(distribution(logits, {.top_p = 0.001}), {{3, 1.0}});
}

TEST(Draw, TopPComesAfterTemperatureAndTopK) {
  const auto logits = logs({0.1, 0.2, 0.05, 0.4, 0.25});
  // Among the top 3 token 3 has 0.47 and token 4 0.29: p = 0.7 needs two; without top_k it would need three.
  expect_distribution(distribution(logits, {.top_k = 3, .top_p = 0.7}), {{3, 0.4 / 0.65}, {4, 0.25 / 0.65}});
  // Squared: 0.16, 0.0625, 0.04, 0.01, 0.0025 of 0.275: token 3 alone has 0.58.
  expect_distribution(distribution(logits, {.temperature = 0.5, .top_p = 0.57}), {{3, 1.0}});
}

TEST(Draw, TopPOverALargeVocabulary) {
  // Needs many pieces of the sorted order: every fourth token has four times the weight.
  std::vector<float> logits(10000);
  for (size_t k = 0; k < logits.size(); ++k) logits[k] = k % 4 == 0 ? std::log(4.0f) : 0.0f;
  DrawScratch scratch;
  // The heavy quarter holds 4/7 = 0.571 of the mass.
  for (int k = 0; k < 500; ++k) EXPECT_EQ(draw(logits, {}, {.top_p = 0.5}, k / 500.0, scratch) % 4, 0);
  EXPECT_EQ(scratch.kept.size(), 2188u);  // ceil(0.5 * 17500 / 4)
  draw(logits, {}, {.top_p = 0.9}, 0.5, scratch);
  EXPECT_EQ(scratch.kept.size(), 2500u + 5750u);
}

TEST(Draw, MinPKeepsWhatIsLikelyEnoughBesideTheLikeliest) {
  const auto logits = logs({0.1, 0.2, 0.05, 0.4, 0.25});
  expect_distribution(distribution(logits, {.min_p = 0.45}), {{3, 0.4 / 0.85}, {4, 0.25 / 0.85}, {1, 0.2 / 0.85}});
  expect_distribution(distribution(logits, {.min_p = 0.55}), {{3, 0.4 / 0.65}, {4, 0.25 / 0.65}});
  expect_distribution(distribution(logits, {.min_p = 1}), {{3, 1.0}});
  expect_distribution(distribution(logs({0.4, 0.2, 0.4}), {.min_p = 1}), {{0, 0.5}, {2, 0.5}});
  // Relative to what may be drawn: without token 3, token 1 has 0.8 of the likeliest.
  expect_distribution(distribution(logits, {.min_p = 0.7}, {3}), {{4, 0.25 / 0.45}, {1, 0.2 / 0.45}});
}

TEST(Draw, MinPComesLast) {
  const auto logits = logs({0.1, 0.2, 0.05, 0.4, 0.25});
  // Squared, tokens 4 and 1 have 0.39 and 0.25 of token 3.
  expect_distribution(distribution(logits, {.temperature = 0.5, .min_p = 0.3}),
                      {{3, 0.16 / 0.2225}, {4, 0.0625 / 0.2225}});
  expect_distribution(distribution(logits, {.top_k = 2, .min_p = 0.45}), {{3, 0.4 / 0.65}, {4, 0.25 / 0.65}});
  expect_distribution(distribution(logits, {.top_k = 4, .min_p = 0.55}), {{3, 0.4 / 0.65}, {4, 0.25 / 0.65}});
  // top_p = 0.7 of all needs three; of the three that min_p leaves it would need two.
  expect_distribution(distribution(logits, {.top_p = 0.7, .min_p = 0.45}),
                      {{3, 0.4 / 0.85}, {4, 0.25 / 0.85}, {1, 0.2 / 0.85}});
}

TEST(Draw, ExcludedTokensAreTakenOutFirst) {
  const auto logits = logs({0.1, 0.2, 0.05, 0.4, 0.25});
  expect_distribution(distribution(logits, {}, {3}), {{0, 1 / 6.}, {1, 2 / 6.}, {2, 0.5 / 6}, {4, 2.5 / 6}});
  expect_distribution(distribution(logits, {.top_k = 1}, {3}), {{4, 1.0}});
  DrawScratch scratch;
  EXPECT_EQ(draw(logits, std::vector<int32_t>{0, 1, 2, 3, 4}, {}, 0.5, scratch), -1);
}

TEST(Draw, EdgesOfTheUnitInterval) {
  std::vector<float> logits = {-kInfinity, 0.0f, 1.0f, -200.0f, -kInfinity};
  DrawScratch scratch;
  for (const Shaping& s : {Shaping{}, Shaping{.top_k = 3}, Shaping{.top_p = 0.999}, Shaping{.min_p = 0.001}}) {
    const int32_t first = draw(logits, {}, s, 0.0, scratch), last = draw(logits, {}, s, 0x1.fffffffffffffp-1, scratch);
    EXPECT_TRUE((first == 1 || first == 2) && (last == 1 || last == 2)) << first << " " << last;
  }
}

SearchOptions sampling(int64_t n) {
  SearchOptions o;
  o.beam = 1, o.sample = true, o.n_best = n, o.max_length = 12;
  return o;
}

// Pearson's chi-square of the first two tokens against the model.
TEST(Sample, FrequenciesFollowTheModel) {
  const FakeModel model;
  constexpr int kSeeds = 200, kDraws = 50;
  std::map<std::vector<int32_t>, double> expected, counted;
  const auto first = model.logits(3, {1});
  const auto without_specials = [](std::vector<float> logits) {
    logits[1] = logits[3] = -kInfinity;
    return log_softmax(logits);
  };
  const auto p1 = without_specials(first);
  for (const int32_t a : {0, 2, 4, 5}) {
    if (a == 2) {
      expected[{}] = std::exp(p1[2]);
      continue;
    }
    const auto p2 = without_specials(model.logits(3, {1, a}));
    for (const int32_t b : {0, 2, 4, 5})
      expected[b == 2 ? std::vector<int32_t>{a} : std::vector<int32_t>{a, b}] =
          std::exp(p1[static_cast<size_t>(a)] + p2[static_cast<size_t>(b)]);
  }
  for (int64_t seed = 0; seed < kSeeds; ++seed) {
    SearchOptions o = sampling(kDraws);
    o.seed = seed;
    for (Hypothesis& h : search_one(model, {3, 9}, o)) {
      if (h.tokens.size() > 2) h.tokens.resize(2);
      counted[h.tokens] += 1;
    }
  }
  double chi_square = 0;
  int cells = 0;
  for (const auto& [tokens, p] : expected) {
    const double e = p * kSeeds * kDraws;
    chi_square += (counted[tokens] - e) * (counted[tokens] - e) / e, ++cells;
  }
  EXPECT_EQ(cells, 13);
  EXPECT_EQ(counted.size(), 13u);
  EXPECT_LT(chi_square, 32.9);  // 12 degrees of freedom, p = 0.001
}

// The second token, where the first was drawn from the penalised distribution too.
TEST(Sample, RepetitionPenaltyShapesTheDistribution) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) {
    logits = {1.0f, 0, -1.0f, 0, 2.0f, -0.5f};
  };
  SearchOptions o = sampling(4000);
  o.repetition_penalty = 2, o.max_length = 1;
  const SourceInfo info{.context = {4, 5, 4}};
  auto logits = penalised({1.0f, -kInfinity, -1.0f, -kInfinity, 2.0f, -0.5f}, info.context, 2);
  EXPECT_EQ(logits[4], 1.0f);
  EXPECT_EQ(logits[5], -1.0f);
  const auto p = log_softmax(logits);
  std::map<int32_t, double> counted;
  for (const Hypothesis& h : search_with(model, {3, 9}, o, info)) counted[h.tokens.empty() ? 2 : h.tokens[0]] += 1;
  double chi_square = 0;
  for (const int32_t token : {0, 2, 4, 5}) {
    const double e = 4000 * std::exp(p[static_cast<size_t>(token)]);
    chi_square += (counted[token] - e) * (counted[token] - e) / e;
  }
  EXPECT_LT(chi_square, 16.3);  // 3 degrees of freedom, p = 0.001
}

TEST(Sample, SameSeedAndKeySameDraws) {
  const FakeModel model;
  const auto a = search_one(model, {3, 9}, sampling(20)), b = search_one(model, {3, 9}, sampling(20));
  ASSERT_EQ(a.size(), 20u);
  for (size_t k = 0; k < a.size(); ++k) expect_same_bits(a[k], b[k]);
  SearchOptions o = sampling(20);
  o.seed = 2;
  const auto c = search_one(model, {3, 9}, o);
  FakeDecoder decoder(model, {{3, 9}});
  const auto d = search(decoder, {{.source_length = 9, .key = 4}}, sampling(20))[0];
  int same_seed = 0, same_key = 0;
  for (size_t k = 0; k < a.size(); ++k) same_seed += a[k].tokens == c[k].tokens, same_key += a[k].tokens == d[k].tokens;
  EXPECT_LT(same_seed, 20);
  EXPECT_LT(same_key, 20);
}

TEST(Sample, MoreDrawsBeginWithTheSameOnes) {
  const FakeModel model;
  const auto few = search_one(model, {3, 9}, sampling(3)), many = search_one(model, {3, 9}, sampling(9));
  for (size_t k = 0; k < few.size(); ++k) expect_same_bits(few[k], many[k]);
}

TEST(Sample, LogProbabilitiesAreTheModelsOwn) {
  const FakeModel model;
  SearchOptions o = sampling(5);
  o.temperature = 0.7, o.top_k = 3, o.min_p = 0.1;
  for (const double penalty : {1.0, 1.5}) {
    o.repetition_penalty = penalty;
    for (Hypothesis& h : search_one(model, {3, 9}, o)) {
      if (!h.finished) continue;
      FakeDecoder decoder(model, {{3, 9}});
      const Hypothesis scored = force_score(decoder, {{.source_length = 9}}, {h.tokens})[0];
      EXPECT_EQ(h.score == scored.score, penalty == 1 || h.tokens.empty());
      h.score = scored.score;
      expect_same_bits(h, scored);
    }
  }
}

TEST(Sample, TopOneIsGreedy) {
  FakeModel model;
  model.V = 30;
  SearchOptions greedy = sampling(1), o = sampling(2);
  greedy.sample = false;
  o.top_k = 1;
  for (uint64_t key = 1; key < 10; ++key)
    for (const Hypothesis& h : search_one(model, {key, 9}, o))
      expect_same_bits(h, search_one(model, {key, 9}, greedy)[0]);
}

}  // namespace
}  // namespace lookback::decode
