#include "lookback/tasks/forecast_rows.h"

#include "lookback/base/error.h"
#include "lookback/base/testing.h"

namespace lookback::tasks {
namespace {

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
