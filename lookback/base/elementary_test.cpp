#include "lookback/base/elementary.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "lookback/base/rng.h"

namespace lookback {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// How far apart two numbers are, in units of the last place of the second.
double units(double got, long double want) {
  const double there = std::abs(static_cast<double>(want));
  const double unit = std::nextafter(there, kInfinity) - there;
  return static_cast<double>(std::abs(static_cast<long double>(got) - want)) / unit;
}

TEST(Elementary, ExpAndLogAreWithinOneUnit) {
  Rng rng(1);
  for (int k = 0; k < 200000; ++k) {
    const double x = 1400 * rng.uniform() - 700, small = 2 * rng.uniform() - 1;
    ASSERT_LE(units(elementary::exp(x), std::exp(static_cast<long double>(x))), 1) << x;
    ASSERT_LE(units(elementary::exp(small), std::exp(static_cast<long double>(small))), 1) << small;
    const double y = elementary::exp(x), near_one = 1 + small / 2;
    ASSERT_LE(units(elementary::log(y), std::log(static_cast<long double>(y))), 1) << y;
    ASSERT_LE(units(elementary::log(near_one), std::log(static_cast<long double>(near_one))), 1) << near_one;
  }
}

TEST(Elementary, ExpAndLogAtTheirEnds) {
  EXPECT_EQ(elementary::exp(0), 1);
  EXPECT_EQ(elementary::exp(-0.0), 1);
  EXPECT_EQ(elementary::exp(kInfinity), kInfinity);
  EXPECT_EQ(elementary::exp(710), kInfinity);
  EXPECT_EQ(elementary::exp(-kInfinity), 0);
  EXPECT_EQ(elementary::exp(-746), 0);
  EXPECT_LE(units(elementary::exp(-740), std::exp(static_cast<long double>(-740))), 1);
  EXPECT_LE(units(elementary::exp(709.7), std::exp(static_cast<long double>(709.7))), 1);
  EXPECT_TRUE(std::isnan(elementary::exp(std::nan(""))));
  EXPECT_EQ(elementary::log(1), 0);
  EXPECT_EQ(elementary::log(0), -kInfinity);
  EXPECT_EQ(elementary::log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(elementary::log(-1)));
  EXPECT_TRUE(std::isnan(elementary::log(std::nan(""))));
  const double least = std::numeric_limits<double>::denorm_min();
  EXPECT_LE(units(elementary::log(least), std::log(static_cast<long double>(least))), 1);
}

TEST(Elementary, Log1p) {
  Rng rng(5);
  for (int k = 0; k < 100000; ++k) {
    const double x = 2 * rng.uniform_double() - 1, size = elementary::exp(80 * rng.uniform_double() - 50);
    for (const double y : {x, size, -1 / (1 + size), x * size / (1 + size)})
      if (y > -1) {
        ASSERT_LE(units(elementary::log1p(y), std::log1p(static_cast<long double>(y))), 2) << y;
      }
  }
  EXPECT_EQ(elementary::log1p(0), 0);
  EXPECT_EQ(elementary::log1p(1e-300), 1e-300);
  EXPECT_EQ(elementary::log1p(-1), -kInfinity);
  EXPECT_EQ(elementary::log1p(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(elementary::log1p(-1.5)));
  EXPECT_TRUE(std::isnan(elementary::log1p(std::nan(""))));
}

TEST(Elementary, Pow) {
  EXPECT_EQ(elementary::pow(3, 4), 81);
  EXPECT_EQ(elementary::pow(2, -2), 0.25);
  EXPECT_EQ(elementary::pow(-2, 3), -8);
  EXPECT_EQ(elementary::pow(5, 0), 1);
  EXPECT_EQ(elementary::pow(0, 0.5), 0);
  EXPECT_EQ(elementary::pow(0, -0.5), kInfinity);
  Rng rng(2);
  for (int k = 0; k < 100000; ++k) {
    const double x = 100 * rng.uniform() + 1e-3, y = 8 * rng.uniform() - 4;
    const long double want = std::pow(static_cast<long double>(x), static_cast<long double>(y));
    ASSERT_LE(units(elementary::pow(x, y), want), 2 * (1 + std::abs(y * std::log(x)))) << x << " " << y;
  }
  for (const double step : {1.0, 7.0, 1000.0, 100000.0})
    EXPECT_NEAR(elementary::pow(0.999, step), std::pow(0.999, step), 1e-12);
}

TEST(Elementary, Cos) {
  EXPECT_EQ(elementary::cos(0), 1);
  Rng rng(3);
  for (int k = 0; k < 200000; ++k) {
    const double x = 16 * rng.uniform() - 8;
    ASSERT_NEAR(elementary::cos(x), static_cast<double>(std::cos(static_cast<long double>(x))), 2e-15) << x;
  }
  EXPECT_NEAR(elementary::cos(1000), std::cos(1000.0), 1e-12);
}

TEST(Elementary, SineIsExactEnough) {
  EXPECT_EQ(elementary::sin(0), 0);
  Rng rng(5);
  uint64_t hash = 0;  // the same on every processor
  for (int k = 0; k < 200000; ++k) {
    const double x = 16 * rng.uniform() - 8, y = elementary::sin(x);
    ASSERT_NEAR(y, static_cast<double>(std::sin(static_cast<long double>(x))), 2e-15) << x;
    hash = (hash ^ std::bit_cast<uint64_t>(y)) * 0x9E3779B97F4A7C15;
  }
  EXPECT_EQ(hash, 3084691231774470045u);
  EXPECT_NEAR(elementary::sin(-1000), std::sin(-1000.0), 1e-12);
}

TEST(Elementary, SoftmaxOfWhatExpAloneCannotHold) {
  double x[] = {1000, 1000 + std::log(3.0), -1e6};
  EXPECT_NEAR(elementary::softmax(x), 1000 + std::log(4.0), 1e-12);
  EXPECT_NEAR(x[0], 0.25, 1e-12);
  EXPECT_NEAR(x[1], 0.75, 1e-12);
  EXPECT_EQ(x[2], 0.0);
}

// The same on every processor: to be seen by running this there.
TEST(Elementary, TheBitsAreThese) {
  Rng rng(4);
  uint64_t hash = 0;
  const auto take = [&](double x) { hash = (hash ^ std::bit_cast<uint64_t>(x)) * 0x9E3779B97F4A7C15; };
  for (int k = 0; k < 10000; ++k) {
    const double x = 20 * rng.uniform() - 10, y = 10 * rng.uniform();
    take(elementary::exp(x)), take(elementary::log(y)), take(elementary::cos(x)), take(elementary::pow(y, x));
  }
  EXPECT_EQ(hash, 4691900928374974292u);
}

}  // namespace
}  // namespace lookback
