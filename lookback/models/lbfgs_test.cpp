#include "lookback/models/lbfgs.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lookback {
namespace {

using Vector = std::vector<double>;

// sum_i scale_i (x_i - i)^2 / 2, scales from 1 to 1e4.
double bowl(const Vector& x, Vector& gradient) {
  double value = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double scale = std::pow(10, 4.0 * static_cast<double>(i) / static_cast<double>(x.size() - 1));
    const double d = x[i] - static_cast<double>(i);
    value += 0.5 * scale * d * d;
    gradient[i] = scale * d;
  }
  return value;
}

TEST(Lbfgs, FindsTheBottomOfAnUnevenBowl) {
  const Vector x = minimise(bowl, Vector(19, -3.0), {.tolerance = 1e-9});
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], static_cast<double>(i), 1e-8);
}

TEST(Lbfgs, GrowsItsStepWhereTheSlopeIsFlat) {
  int calls = 0;
  const auto flat = [&](const Vector& x, Vector& gradient) {
    ++calls;
    const double root = std::sqrt(1 + (x[0] - 1e4) * (x[0] - 1e4));
    gradient[0] = (x[0] - 1e4) / root;
    return root;
  };
  EXPECT_NEAR(minimise(flat, {0.0})[0], 1e4, 1e-6);
  EXPECT_LT(calls, 100);
}

TEST(Lbfgs, EndsWhereItMay) {
  EXPECT_EQ(minimise(bowl, {0.0, 1.0}), (Vector{0, 1}));  // the bottom
  int calls = 0;
  const auto counted = [&](const Vector& x, Vector& gradient) {
    ++calls;
    return bowl(x, gradient);
  };
  minimise(counted, Vector(19, -3.0), {.max_steps = 3});
  EXPECT_LT(calls, 30);
  // A gradient that is wrong leads nowhere, and that is the end of it.
  const auto wrong = [](const Vector& x, Vector& gradient) {
    gradient[0] = 1;
    return -x[0];
  };
  EXPECT_EQ(minimise(wrong, {2.0})[0], 2);
}

}  // namespace
}  // namespace lookback
