#include "lookback/tasks/forecast_intervals.h"

#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"

namespace lookback::tasks {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TEST(ForecastIntervals, AMarginIsTheLeastThatHoldsSoManyMisses) {
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
TEST(ForecastIntervals, AMarginHoldsOfAFurtherValue) {
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

// Some equal ones, and some that are not known.
std::vector<double> some_misses(int64_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<double> out;
  for (int64_t k = 0; k < n; ++k) out.push_back(k % 7 == 3 ? kNone : std::round(5 * rng.normal()) / 5);
  return out;
}

// What rolling_margins() promises, word by word.
double margin_at(int64_t k, std::span<const double> misses, int64_t step, double percent, int64_t recent) {
  std::vector<double> known;
  for (int64_t s = std::max<int64_t>(0, k - step - recent); s + step < k && s < std::ssize(misses); ++s)
    if (!std::isnan(misses[static_cast<size_t>(s)])) known.push_back(misses[static_cast<size_t>(s)]);
  if (std::ssize(known) < std::min(recent, kLeastRecent)) return kNone;
  return conformal_margin(known, percent);
}

TEST(ForecastIntervals, RollingMarginsAreThoseOfTheLatestOutcomes) {
  const std::vector<double> misses = some_misses(700, 5);
  int64_t there = 0;
  for (const int64_t step : {0, 1, 30, 699, 900})
    for (const int64_t recent : {1, 3, 120, 250, 5000})
      for (const double percent : {5.0, 80.0, 99.0}) {
        const auto margins = rolling_margins(misses, step, percent, recent);
        ASSERT_EQ(margins.size(), misses.size() + 1);
        for (int64_t k = 0; k < std::ssize(margins); ++k) {
          const double want = margin_at(k, misses, step, percent, recent), is = margins[static_cast<size_t>(k)];
          ASSERT_TRUE(std::isnan(want) ? std::isnan(is) : want == is) << step << " " << recent << " " << k;
          there += !std::isnan(is);
        }
      }
  EXPECT_GT(there, 10000);
}

TEST(ForecastIntervals, AMarginKnowsNothingOfWhatComesFromItsOriginOn) {
  const std::vector<double> misses = some_misses(400, 6);
  for (const int64_t step : {0, 7, 60})
    for (const int64_t now : {1, 150, 399}) {
      std::vector<double> changed = misses;
      // The value of origin s comes at s + step.
      for (int64_t s = std::max<int64_t>(0, now - step); s < std::ssize(changed); ++s)
        changed[static_cast<size_t>(s)] = 99;
      const auto before = rolling_margins(misses, step, 80, 150), after = rolling_margins(changed, step, 80, 150);
      for (size_t k = 0; k <= static_cast<size_t>(now); ++k)
        ASSERT_TRUE(before[k] == after[k] || (std::isnan(before[k]) && std::isnan(after[k]))) << step << " " << k;
    }
  // One step later the value is known.
  std::vector<double> changed = misses;
  changed[250] = 99;
  const auto before = rolling_margins(misses, 7, 99.9, 150), after = rolling_margins(changed, 7, 99.9, 150);
  EXPECT_EQ(after[257], before[257]);
  EXPECT_EQ(after[258], 99);
}

TEST(ForecastIntervals, WithoutOutcomesThereIsNoRollingMargin) {
  EXPECT_EQ(rolling_margins({}, 0, 80, 500).size(), 1U);
  EXPECT_TRUE(std::isnan(rolling_margins({}, 0, 80, 500)[0]));
  const std::vector<double> misses(120, 2.0);
  const auto margins = rolling_margins(misses, 10, 80, 500);
  EXPECT_TRUE(std::isnan(margins[static_cast<size_t>(10 + kLeastRecent - 1)]));
  EXPECT_EQ(margins[static_cast<size_t>(10 + kLeastRecent)], 2);
}

// Errors of half the size: by the latest of them intervals hold again as often as they say.
TEST(ForecastIntervals, RollingMarginsFollowAChange) {
  Rng rng(8);
  std::vector<double> misses;
  for (int64_t k = 0; k < 6000; ++k) misses.push_back(std::abs(rng.normal()) * (k < 2000 ? 1 : 0.5));
  const auto margins = rolling_margins(misses, 24, 80, 500);
  const double before = conformal_margin({misses.begin(), misses.begin() + 2000}, 80);
  double held = 0, held_before = 0;
  for (size_t k = 3000; k < misses.size(); ++k) held += misses[k] <= margins[k], held_before += misses[k] <= before;
  EXPECT_NEAR(held / 3000, 0.8, 0.02);
  EXPECT_GT(held_before / 3000, 0.97);
}

}  // namespace
}  // namespace lookback::tasks
