#include "lookback/models/naive_forecast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/testing.h"

namespace lookback {
namespace {

using Vector = std::vector<double>;

const Vector kHistory = {1, 4, 2, 8};
const Vector kLevels = {0.25, 0.5, 0.9};
constexpr NaiveOptions kLast{NaiveKind::last_value}, kDrift{NaiveKind::drift}, kMean{NaiveKind::mean};

NaiveOptions every(int64_t season) { return {NaiveKind::seasonal, season}; }

void expect_near(const Vector& got, const Vector& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < want.size(); ++k) EXPECT_NEAR(got[k], want[k], 1e-12) << k;
}

TEST(NaiveForecast, Points) {
  EXPECT_EQ(naive_forecast(kHistory, 3), (Vector{8, 8, 8}));
  EXPECT_EQ(naive_forecast(kHistory, 5, every(3)), (Vector{4, 2, 8, 4, 2}));
  EXPECT_EQ(naive_forecast(kHistory, 2, every(1)), (Vector{8, 8}));
  expect_near(naive_forecast(kHistory, 2, kDrift), {8 + 7.0 / 3, 8 + 14.0 / 3});
  EXPECT_EQ(naive_forecast(kHistory, 2, kMean), (Vector{3.75, 3.75}));
}

TEST(NaiveForecast, ShortHistories) {
  EXPECT_EQ(naive_forecast(kHistory, 2, every(5)), (Vector{8, 8}));  // less than a season
  EXPECT_EQ(naive_forecast(kHistory, 2, every(4)), (Vector{1, 4}));
  for (const NaiveOptions& options : {kLast, every(7), kDrift, kMean}) {
    EXPECT_EQ(naive_forecast(Vector{3}, 2, options), (Vector{3, 3}));
    EXPECT_EQ(naive_error_quantiles(Vector{3}, 2, kLevels, options), Vector(6));
    EXPECT_EQ(naive_forecast(Vector(), 2, options), Vector(2));
    EXPECT_EQ(naive_error_quantiles(Vector(), 2, kLevels, options), Vector(6));
  }
  EXPECT_EQ(naive_error_quantiles(kHistory, 1, kLevels, every(4)), Vector(3));  // a season and no more: no error
}

// Changes of one step: 3, -2, 6; of two: 1, 4, which those of three are made of.
TEST(NaiveForecast, ErrorsOfTheLastValue) {
  const double far = std::sqrt(1.5);
  expect_near(naive_error_quantiles(kHistory, 3, kLevels),
              {0.5, 3, 5.4, 1.75, 2.5, 3.7, far * 1.75, far * 2.5, far * 3.7});
}

// Changes over two: 1, 4; for three and four steps there is nothing of four values, hence those of two.
TEST(NaiveForecast, ErrorsOfASeason) {
  const double far = std::sqrt(2);
  expect_near(naive_error_quantiles(kHistory, 3, kLevels, every(2)),
              {1.75, 2.5, 3.7, 1.75, 2.5, 3.7, far * 1.75, far * 2.5, far * 3.7});
  // Four of three values are more than half, but one season there is: the change 7.
  expect_near(naive_error_quantiles(kHistory, 4, kLevels, every(3)),
              {7, 7, 7, 7, 7, 7, 7, 7, 7, far * 7, far * 7, far * 7});
}

TEST(NaiveForecast, ErrorsOfTheLineAndTheMean) {
  const double c = 7.0 / 3;
  expect_near(naive_error_quantiles(kHistory, 2, kLevels, kDrift),
              {0.5 - c, 3 - c, 5.4 - c, 1.75 - 2 * c, 2.5 - 2 * c, 3.7 - 2 * c});
  // -2.75, -1.75, 0.25, 4.25, however far.
  expect_near(naive_error_quantiles(kHistory, 2, kLevels, kMean), {-2, -0.75, 3.05, -2, -0.75, 3.05});
  // A line is forecast without an error.
  expect_near(naive_error_quantiles(Vector{1, 3, 5, 7}, 9, {{0.1}}, kDrift), Vector(9));
}

TEST(NaiveForecast, LargeValues) {
  const Vector large(7, 1e308);
  for (const NaiveOptions& options : {kLast, every(3), kDrift, kMean}) {
    for (const double v : naive_forecast(large, 4, options)) EXPECT_NEAR(v / 1e308, 1, 1e-12);
    for (const double v : naive_error_quantiles(large, 4, kLevels, options)) EXPECT_NEAR(v / 1e308, 0, 1e-12);
  }
  const Vector apart = {-1e308, 1e308};
  EXPECT_NEAR(naive_forecast(apart, 1, kMean)[0], 0, 1e294);
  EXPECT_THROW(naive_forecast(apart, 1, kDrift), NumericError);
  EXPECT_THROW(naive_error_quantiles(apart, 1, kLevels), NumericError);
}

TEST(NaiveForecast, Refuses) {
  const Vector hole = {1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_EQ(message_of<FormatError>([&] { naive_forecast(hole, 1); }),
            "naive forecast: value 2 of a series is nan; fill what is missing first");
  EXPECT_THROW(naive_error_quantiles(Vector{INFINITY}, 1, kLevels), FormatError);
  EXPECT_THROW(naive_forecast(kHistory, 0), ConfigError);
  EXPECT_THROW(naive_forecast(kHistory, 2'000'000), ConfigError);
  EXPECT_THROW(naive_forecast(kHistory, 1, every(0)), ConfigError);
  for (const double p : {0.0, 1.0, -0.1, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THROW(naive_error_quantiles(kHistory, 1, {{p}}), ConfigError) << p;
}

}  // namespace
}  // namespace lookback
