#include "lookback/base/wide_number.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lookback {
namespace {

TEST(WideNumber, TheExponentialIsThatOfDouble) {
  for (double x = -700; x <= 700; x += 0.37) {
    const WideNumber e = wide::exp(x);
    EXPECT_NEAR(wide::value(e) / std::exp(x), 1, 4e-16) << x;
    EXPECT_NEAR(wide::log(e), x, 4e-16 * std::max(1.0, std::abs(x))) << x;
    EXPECT_GT(e.mantissa, 0.7);
    EXPECT_LT(e.mantissa, 1.42);
  }
  EXPECT_TRUE(is_zero(wide::exp(-INFINITY)));
  EXPECT_TRUE(std::isnan(wide::exp(NAN).mantissa));
}

TEST(WideNumber, SumsAndProductsFarOutsideOfDouble) {
  const WideNumber tiny = wide::exp(-1e6), less = wide::exp(-1e6 - 2), least = wide::exp(-2e6);
  EXPECT_NEAR(wide::log(wide::normalised(wide::plus(tiny, less))), -1e6 + std::log1p(std::exp(-2.0)), 1e-9);
  EXPECT_NEAR(wide::log(wide::normalised(wide::plus(less, tiny, tiny))), -1e6 + std::log(2 + std::exp(-2.0)), 1e-9);
  EXPECT_NEAR(wide::log(wide::normalised(wide::times(tiny, less))), -2e6 - 2, 1e-9);
  EXPECT_EQ(wide::log(wide::plus(tiny, least)), wide::log(tiny));
  EXPECT_EQ(wide::value(tiny), 0);
}

TEST(WideNumber, NormalisedIsTheSameNumber) {
  for (const double m : {1e-300, 0.3, 1.0, 1.9999, 2.0, 6.5, 1e300}) {
    const WideNumber x = wide::normalised(m, 12);
    EXPECT_GE(x.mantissa, 1);
    EXPECT_LT(x.mantissa, 2);
    EXPECT_EQ(std::ldexp(x.mantissa, static_cast<int>(x.exponent) - 12), m);
  }
}

TEST(WideNumber, ZeroVanishesAndStays) {
  const WideNumber one;
  EXPECT_EQ(wide::value(wide::plus(kWideZero, one, kWideZero)), 1);
  WideNumber x = kWideZero;
  for (int k = 0; k < 20000; ++k) x = wide::normalised(wide::times(wide::plus(x, kWideZero), wide::exp(-INFINITY)));
  EXPECT_TRUE(is_zero(x));
  EXPECT_EQ(wide::value(wide::plus(x, one)), 1);
  EXPECT_EQ(wide::log(x), -INFINITY);
}

}  // namespace
}  // namespace lookback
