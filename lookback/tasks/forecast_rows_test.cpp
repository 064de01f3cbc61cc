#include "lookback/tasks/forecast_rows.h"

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"

namespace lookback::tasks {
namespace {

TEST(ForecastRows, AMarginIsTheLeastThatHoldsSoManyMisses) {
  const std::vector<double> misses{5, 1, 4, 2, 3,
                                   9, 8, 7, 6};  // of ten values to come one lies beyond the k-th of nine
  EXPECT_EQ(conformal_margin(misses, 50), 5);
  EXPECT_EQ(conformal_margin(misses, 51), 6);
  EXPECT_EQ(conformal_margin(misses, 90), 9);
  EXPECT_EQ(conformal_margin(misses, 99), 9) << "no more than the largest";
  EXPECT_EQ(conformal_margin({-2.0}, 1), -2);
  EXPECT_THROW(conformal_margin({}, 80), ShapeError);
}

// What is promised: of a value like the others the margin holds at least so many percent, on the mean of draws.
TEST(ForecastRows, AMarginHoldsOfAFurtherValue) {
  Rng rng(3);
  int64_t held = 0;
  constexpr int64_t kDraws = 20000;
  for (int64_t k = 0; k < kDraws; ++k) {
    std::vector<double> misses;
    for (int i = 0; i < 19; ++i) misses.push_back(rng.normal());
    held += rng.normal() <= conformal_margin(misses, 80);
  }
  EXPECT_NEAR(static_cast<double>(held) / kDraws, 0.8, 4 * 0.4 / std::sqrt(kDraws));
}

TEST(ForecastRows, QuantilesOfSortedNumbers) {
  const std::vector<double> x{1, 2, 4};  // numpy.quantile
  EXPECT_DOUBLE_EQ(quantile_of_sorted(x, 0.5), 2);
  EXPECT_DOUBLE_EQ(quantile_of_sorted(x, 0.25), 1.5);
  EXPECT_DOUBLE_EQ(quantile_of_sorted(x, 0.9), 3.6);
  EXPECT_DOUBLE_EQ(quantile_of_sorted(x, 0), 1);
  EXPECT_DOUBLE_EQ(quantile_of_sorted(x, 1), 4);
}

TEST(ForecastRows, Levels) {
  EXPECT_EQ(percents_of({"80", "95.5"}, "levels"), (std::vector<double>{80, 95.5}));
  for (const StringList& bad : {StringList{"95", "80"}, {"0"}, {"100"}, {"x"}, {"80", "80"}})
    EXPECT_THROW(percents_of(bad, "levels"), ConfigError);
  EXPECT_NEAR(low_level(95), 0.025, 1e-15);
  EXPECT_EQ(find_level(std::vector<double>{0.1, 0.5, 0.9}, high_level(80)), 2U);
  EXPECT_EQ(find_level(std::vector<double>{0.1, 0.5, 0.9}, high_level(95)), 3U);
}

}  // namespace
}  // namespace lookback::tasks
