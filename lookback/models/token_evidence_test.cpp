#include "lookback/models/token_evidence.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"

namespace lookback {
namespace {

// log p(feature | class) - log p(feature | others), counted by hand.
TEST(TokenEvidence, IsTheLogOddsOfNaiveBayes) {
  const auto e = TokenEvidence::learn({{4, 5}, {4}, {6, 5}}, {{0}, {0}, {1}}, 2);
  // Features: 4, 45, 5, 6, 65 with counts 2 1 2 1 1; of class 0 2 1 1 0 0, in all 4; of class 1 3.
  ASSERT_EQ(e.features().shape(), Shape({5, 2}));
  const std::vector<int32_t> features(e.features().span<int32_t>().begin(), e.features().span<int32_t>().end());
  EXPECT_EQ(features, (std::vector<int32_t>{4, -1, 4, 5, 5, -1, 6, -1, 6, 5}));
  const auto odds = [](double in, double total, double others, double total_others) {
    return std::log((in + 1) / (total + 5)) - std::log((others + 1) / (total_others + 5));
  };
  const double of_4 = odds(2, 4, 0, 3), of_45 = odds(1, 4, 0, 3), of_5 = odds(1, 4, 1, 3), of_6 = odds(0, 4, 1, 3);
  const auto near = [&](const std::vector<int32_t>& text, double first) {
    const auto found = e.of(text);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_NEAR(found[0], first, 1e-6);
    EXPECT_NEAR(found[1], -first, 1e-6);  // of two classes each is what the other is not
  };
  near({4}, of_4);
  near({4, 5}, (of_4 + of_45 + of_5) / std::sqrt(3.0));
  near({6, 9, 9}, of_6 / std::sqrt(5.0));  // what training has not says nothing
  near({}, 0);
}

TEST(TokenEvidence, OfSeveralClassesAndOfNone) {
  const auto e = TokenEvidence::learn({{4}, {5}, {4, 5}}, {{0, 1}, {}, {1}}, 2);
  EXPECT_GT(e.of(std::vector<int32_t>{4})[1], 0);
  EXPECT_LT(e.of(std::vector<int32_t>{5})[0], 0);
}

TEST(TokenEvidence, IsReadBack) {
  const auto e = TokenEvidence::learn({{4, 5, 6}, {5, 4}}, {{2}, {0}}, 3);
  const TokenEvidence again(e.features(), e.log_odds());
  const std::vector<int32_t> text{5, 4, 5, 6};
  EXPECT_EQ(e.of(text), again.of(text));
}

TEST(TokenEvidence, BadInput) {
  EXPECT_THROW(TokenEvidence::learn({{4}}, {}, 2), ShapeError);
  EXPECT_THROW(TokenEvidence::learn({}, {}, 0), ShapeError);
  const auto features = [](std::vector<int32_t> ids) {
    return Tensor::of({static_cast<int64_t>(ids.size()) / 2, 2}, ids);
  };
  const Tensor one = Tensor::zeros({1, 2}), two = Tensor::zeros({2, 2});
  EXPECT_NO_THROW(TokenEvidence(features({4, -1}), one));
  EXPECT_THROW(TokenEvidence(features({4, -1}), two), ShapeError);
  EXPECT_THROW(TokenEvidence(features({4, -1, 4, -1}), two), ShapeError);
  EXPECT_THROW(TokenEvidence(one, one), ShapeError);
  EXPECT_THROW(TokenEvidence(features({4, -1}), Tensor::full({1, 2}, NAN)), ShapeError);
}

double mean_loss(const std::vector<int64_t>& gold, const std::vector<double>& z, const std::vector<double>& e, double a,
                 double s) {
  const size_t K = z.size() / gold.size();
  double sum = 0;
  for (size_t n = 0; n < gold.size(); ++n) {
    double total = 0;
    for (size_t k = n * K; k < (n + 1) * K; ++k) total += std::exp(a * z[k] + s * e[k]);
    const size_t right = n * K + static_cast<size_t>(gold[n]);
    sum += std::log(total) - a * z[right] - s * e[right];
  }
  return sum / static_cast<double>(gold.size());
}

TEST(FittedBlend, NoOtherIsLikelier) {
  Rng rng(3, 1);
  std::vector<int64_t> gold;
  std::vector<double> z, e;
  for (int64_t n = 0; n < 200; ++n) {
    gold.push_back(n % 3);
    for (int64_t k = 0; k < 3; ++k)
      z.push_back(3 * rng.uniform() + (k == n % 3)), e.push_back(2 * rng.uniform() + 0.7 * (k == n % 3));
  }
  const Blend best = fitted_blend(gold, z, e);
  EXPECT_GT(best.share, 0.1);
  const double least = mean_loss(gold, z, e, 1 / best.temperature, best.share);
  for (const double a : {0.9, 1.0, 1.1})
    for (const double s : {0.9, 1.0, 1.1})
      EXPECT_LE(least, mean_loss(gold, z, e, a / best.temperature, s * best.share) + 1e-5);
}

TEST(FittedBlend, WhatMisleadsHasNoShare) {
  const std::vector<int64_t> gold{0, 1, 0, 1};
  const std::vector<double> z{1, 0, 0, 1, 0, 0.5, 0, 2}, wrong{0, 1, 1, 0, 0, 1, 1, 0};
  EXPECT_EQ(fitted_blend(gold, z, wrong).share, 0);
  const Blend none = fitted_blend({}, {}, {});
  EXPECT_EQ(none.temperature, 1);
  EXPECT_EQ(none.share, 0);
  // Told apart wholly: finite all the same.
  const Blend sure =
      fitted_blend(std::vector<int64_t>{0, 1}, std::vector<double>{1, 0, 0, 1}, std::vector<double>{1, 0, 0, 1});
  EXPECT_TRUE(sure.temperature >= 0.01 && sure.share <= 100);
}

}  // namespace
}  // namespace lookback
