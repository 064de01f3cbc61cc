#include "lookback/decode/ctc.h"

#include <gtest/gtest.h>

#include "lookback/decode/ctc_testing.h"

namespace lookback::decode {
namespace {

using Tokens = std::vector<CtcToken>;

// Log-probabilities in which every frame is nearly sure of its class.
Tensor sure_of(const std::vector<int32_t>& path, int64_t V) {
  Tensor out = Tensor::full({std::ssize(path), V}, -9);
  for (size_t t = 0; t < path.size(); ++t) out.data<float>()[static_cast<int64_t>(t) * V + path[t]] = -0.01F;
  return out;
}

Tokens tokens_of(const std::vector<int32_t>& path, int32_t blank) {
  Tokens out;
  for (size_t t = 0; t < path.size(); ++t) {
    const auto frame = static_cast<int64_t>(t);
    if (path[t] == blank) continue;
    if (t > 0 && path[t] == path[t - 1])
      out.back().last = frame;
    else
      out.push_back({path[t], frame, frame});
  }
  return out;
}

TEST(CtcBestPath, JoinsRepeatsAndDropsBlanks) {
  EXPECT_EQ(ctc_best_path(sure_of({0, 2, 2, 0, 2, 1, 1, 1, 3, 0, 0}, 4), 0),
            (Tokens{{2, 1, 2}, {2, 4, 4}, {1, 5, 7}, {3, 8, 8}}));
  EXPECT_EQ(ctc_best_path(sure_of({0, 2, 2, 0}, 3), 2), (Tokens{{0, 0, 0}, {0, 3, 3}}));
  EXPECT_EQ(ctc_best_path(Tensor({0, 3}), 1), Tokens());
  EXPECT_EQ(ctc_best_path(Tensor::zeros({3, 3}), 1), (Tokens{{0, 0, 2}}));
}

TEST(CtcBestPath, IsTheLikeliestOfAllPaths) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Tensor frames = random_frames(5, 3, seed);
    double most = -INFINITY;
    std::vector<int32_t> best;
    each_path(frames, [&](const auto& path, double log_prob) {
      if (log_prob > most) most = log_prob, best = path;
    });
    EXPECT_EQ(ctc_best_path(frames, 1), tokens_of(best, 1));
    EXPECT_EQ(ctc_best_path(frames.to(Dtype::f64), 1), tokens_of(best, 1));
  }
}

TEST(CtcAlign, IsTheLikeliestPathOfTheTarget) {
  for (uint64_t seed = 1; seed <= 6; ++seed)
    for (const int32_t blank : {0, 2}) {
      const Tensor frames = random_frames(6, 3, seed);
      std::map<std::vector<int32_t>, std::pair<double, std::vector<int32_t>>> best;
      each_path(frames, [&](const auto& path, double log_prob) {
        auto& of = best.try_emplace(joined(path, blank), -INFINITY, path).first->second;
        if (log_prob > of.first) of = {log_prob, path};
      });
      EXPECT_GT(best.size(), 30U);
      for (const auto& [target, path] : best)
        EXPECT_EQ(ctc_align(frames, target, blank), tokens_of(path.second, blank));
    }
}

TEST(CtcAlign, NothingWhereNoPathIs) {
  const Tensor frames = random_frames(4, 4, 1, {3});
  EXPECT_EQ(ctc_align(frames, {1, 1, 1}, 0), std::nullopt);
  EXPECT_EQ(ctc_align(frames, {1, 3}, 0), std::nullopt);
  EXPECT_EQ(ctc_align(frames, {1, 1}, 3), std::nullopt);  // whose blank cannot happen
  EXPECT_NE(ctc_align(frames, {1, 2}, 3), std::nullopt);
  EXPECT_EQ(ctc_align(frames, {}, 0), Tokens());
  EXPECT_EQ(ctc_align(Tensor({0, 4}), {}, 0), Tokens());
  EXPECT_EQ(ctc_align(Tensor({0, 4}), {1}, 0), std::nullopt);
}

TEST(CtcAlign, WhatDoesNotFitIsRefused) {
  Tensor frames = random_frames(4, 4, 1);
  EXPECT_THROW(ctc_align(frames, {0}, 0), ShapeError);
  EXPECT_THROW(ctc_align(frames, {4}, 0), ShapeError);
  EXPECT_THROW(ctc_align(frames, {1}, 4), ShapeError);
  EXPECT_THROW(ctc_best_path(frames, -1), ShapeError);
  EXPECT_THROW(ctc_best_path(Tensor({4}), 0), ShapeError);
  frames.data<float>()[5] = NAN;
  EXPECT_THROW(ctc_best_path(frames, 0), NumericError);
  EXPECT_THROW(ctc_align(frames, {1}, 0), NumericError);
}

}  // namespace
}  // namespace lookback::decode
