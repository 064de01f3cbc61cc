#include "lookback/models/linear_forecast.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"

namespace lookback {
namespace {

using Vector = std::vector<double>;
using Series = std::vector<std::span<const double>>;

Vector made(size_t n, const std::function<double(double)>& f) {
  Vector out(n);
  for (size_t t = 0; t < n; ++t) out[t] = f(static_cast<double>(t));
  return out;
}

Vector walk(size_t n, uint64_t seed) {
  Rng rng(seed);
  Vector out(n);
  for (size_t t = 0; t < n; ++t) out[t] = (t > 0 ? out[t - 1] : 10) + rng.normal();
  return out;
}

void expect_near(std::span<const double> got, const Vector& want, double bound) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < want.size(); ++k) EXPECT_NEAR(got[k], want[k], bound) << k;
}

// Changes 1, 2, 1, 4, and pairs of neighbours (1, 2), (2, 1), (1, 4); the input is the first one's negative.
TEST(LinearForecast, OneWeightByHand) {
  const Vector x = {0, 1, 3, 4, 8};
  for (const double ridge : {1e-8, 0.5}) {
    const LinearForecast model = train_linear_forecast(Series{x}, {.lookback = 2, .horizon = 1}, ridge);
    expect_near(model.weights(), {-8 / (6 * (1 + ridge))}, 1e-12);
    expect_near(model.predict(x), {8 + 4 * 8 / (6 * (1 + ridge))}, 1e-12);
  }
}

// (G + ridge d) W = C, from windows one by one; also where there are fewer windows than inputs.
TEST(LinearForecast, SolvesTheNormalEquationsOfAllWindows) {
  const Vector a = walk(60, 1), b = walk(23, 2), too_short = walk(7, 3);
  constexpr size_t kInputs = 5, kSteps = 3;
  for (const Series& series : {Series{a, b, too_short}, Series{std::span(a).first(10)}}) {
    double gram[kInputs][kInputs + kSteps] = {};
    for (const auto s : series)
      for (size_t t = 0; t + kInputs + 1 + kSteps <= s.size(); ++t)
        for (size_t i = 0; i < kInputs; ++i)
          for (size_t j = 0; j < kInputs + kSteps; ++j)
            gram[i][j] += (s[t + i] - s[t + kInputs]) * (s[t + j + (j < kInputs ? 0 : 1)] - s[t + kInputs]);
    double mean = 0;
    for (size_t i = 0; i < kInputs; ++i) mean += gram[i][i] / kInputs;
    const LinearForecast model = train_linear_forecast(series, {.lookback = kInputs + 1, .horizon = kSteps}, 0.01);
    for (size_t i = 0; i < kInputs; ++i)
      for (size_t h = 0; h < kSteps; ++h) {
        double left = 0.01 * mean * model.weights()[i * kSteps + h];
        for (size_t j = 0; j < kInputs; ++j) left += gram[i][j] * model.weights()[j * kSteps + h];
        EXPECT_NEAR(left, gram[i][kInputs + h], 1e-9 * mean) << i << " " << h;
      }
  }
}

// Around a level and a line, each wave is what the three (four) values before it say.
TEST(LinearForecast, ContinuesWhatIsLinear) {
  const auto wave = [](double t) { return 5 + std::sin(0.7 * t); };
  const auto rising = [](double t) { return 0.3 * t + std::sin(0.7 * t); };
  for (const auto& [f, lookback] : {std::pair<std::function<double(double)>, int64_t>{wave, 3}, {rising, 4}}) {
    const Vector x = made(80, f), want = made(90, f);
    const LinearForecast model = train_linear_forecast(Series{x}, {.lookback = lookback, .horizon = 10}, 1e-8);
    expect_near(model.predict(x), Vector(want.end() - 10, want.end()), 1e-4);
  }
}

TEST(LinearForecast, LevelsDoNotMatter) {
  const Vector x = walk(200, 4);
  Vector high = x;
  for (double& v : high) v = std::round(v * 1024) / 1024 + 0x1p30;
  Vector low = high;
  for (double& v : low) v -= 0x1p30;
  const ForecastWindow window{.lookback = 20, .horizon = 8};
  const LinearForecast model = train_linear_forecast(Series{low}, window, 1e-3);
  const LinearForecast same = train_linear_forecast(Series{high}, window, 1e-3);
  expect_near(same.weights(), Vector(model.weights().begin(), model.weights().end()), 0);
}

TEST(LinearForecast, AWindowOfManyIsThatOfOne) {
  const Vector x = walk(300, 5);
  const LinearForecast model = train_linear_forecast(Series{x}, {.lookback = 24, .horizon = 7}, 1e-3);
  std::vector<int64_t> origins(301);
  std::iota(origins.begin(), origins.end(), 0);
  for (const int threads : {1, 3}) {
    const ThreadScope scope(threads);
    const Vector all = model.predict_from(x, origins);
    for (size_t n = 0; n < origins.size(); ++n)
      EXPECT_EQ(Vector(all.begin() + static_cast<int64_t>(n) * 7, all.begin() + static_cast<int64_t>(n + 1) * 7),
                model.predict(std::span(x).first(n)))
          << n;
  }
  EXPECT_TRUE(model.predict_from(x, {}).empty());
}

TEST(LinearForecast, ShortHistories) {
  const LinearForecast model({.lookback = 3, .horizon = 2}, {1, 10, 100, 1000});  // weights of x_1, then of x_2
  EXPECT_EQ(model.predict(Vector{1, 2, 4}), (Vector{4 - 3 - 200, 4 - 30 - 2000}));
  EXPECT_EQ(model.predict(Vector{7, 7, 1, 2, 4}), model.predict(Vector{1, 2, 4}));
  EXPECT_EQ(model.predict(Vector{1, 4}), model.predict(Vector{1, 1, 4}));
  EXPECT_EQ(model.predict(Vector{4}), (Vector{4, 4}));
  EXPECT_EQ(model.predict(Vector()), (Vector{0, 0}));
}

TEST(LinearForecast, WithoutChangesItIsTheLastValue) {
  const Vector still(40, 3.0);
  EXPECT_EQ(train_linear_forecast(Series{still}, {.lookback = 8, .horizon = 2}, 1e-3).predict(Vector{1, 2}),
            (Vector{2, 2}));
  const Vector x = walk(40, 6);
  EXPECT_EQ(train_linear_forecast(Series{x}, {.lookback = 1, .horizon = 2}, 1e-3).predict(Vector{1, 2}),
            (Vector{2, 2}));
}

// A walk is best left where it is; a wave is best continued.
TEST(LinearForecast, SelectsTheRidgeOfLeastError) {
  const Vector random = walk(400, 7), wave = made(400, [](double t) { return std::sin(0.7 * t); });
  const ForecastWindow window{.lookback = 40, .horizon = 5};
  const Vector ridges = {1e-6, 1e-2, 1e4, 1e4};
  for (const auto& [x, want] : {std::pair{random, 1e4}, {wave, 1e-6}}) {
    const Series learnt = {std::span(x).first(250)};
    EXPECT_EQ(select_ridge(learnt, std::vector<ForecastTarget>{{x, 250}}, window, ridges), want);
    Vector errors;
    for (const double ridge : ridges) {
      const LinearForecast model = train_linear_forecast(learnt, window, ridge);
      double sum = 0;
      for (size_t origin = 250; origin + 5 <= x.size(); ++origin) {
        const Vector forecast = model.predict(std::span(x).first(origin));
        for (size_t h = 0; h < 5; ++h) sum += std::pow(forecast[h] - x[origin + h], 2);
      }
      errors.push_back(sum);
    }
    EXPECT_EQ(ridges[static_cast<size_t>(std::ranges::min_element(errors) - errors.begin())], want);
  }
}

TEST(LinearForecast, Refuses) {
  const Vector x = walk(40, 8), hole = {1, std::numeric_limits<double>::quiet_NaN()};
  const ForecastWindow window{.lookback = 20, .horizon = 5};
  EXPECT_EQ(message_of<ShapeError>([&] { train_linear_forecast(Series{std::span(x).first(24)}, window, 1); }),
            "linear forecast: the longest series has 24 values; one window needs 25");
  EXPECT_NO_THROW(train_linear_forecast(Series{std::span(x).first(25)}, window, 1));
  EXPECT_THROW(train_linear_forecast(Series{}, window, 1), ShapeError);
  EXPECT_THROW(train_linear_forecast(Series{x, hole}, window, 1), FormatError);
  for (const double ridge : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THROW(train_linear_forecast(Series{x}, window, ridge), ConfigError) << ridge;
  EXPECT_THROW(train_linear_forecast(Series{x}, {.lookback = 0}, 1), ConfigError);
  EXPECT_THROW(train_linear_forecast(Series{x}, {.horizon = 0}, 1), ConfigError);
  EXPECT_THROW(train_linear_forecast(Series{x}, {.lookback = 50'000, .horizon = 5}, 1), ConfigError);
  Vector large = x;
  for (double& v : large) v *= 1e200;
  EXPECT_THROW(train_linear_forecast(Series{large}, window, 1), NumericError);

  EXPECT_THROW(LinearForecast(window, Vector(3)), ShapeError);
  EXPECT_THROW(LinearForecast({.lookback = 2, .horizon = 1}, {NAN}), NumericError);
  const LinearForecast model = train_linear_forecast(Series{x}, window, 1);
  EXPECT_THROW(model.predict(hole), FormatError);
  for (const int64_t origin : {-1, 41}) EXPECT_THROW(model.predict_from(x, {{origin}}), ShapeError);
  EXPECT_THROW(LinearForecast({.lookback = 2, .horizon = 1}, {1e308}).predict(Vector{0, 1e308}), NumericError);

  EXPECT_THROW(select_ridge(Series{x}, std::vector<ForecastTarget>{{x, 20}}, window, {}), ConfigError);
  EXPECT_THROW(select_ridge(Series{x}, {}, window, {{1.0}}), ShapeError);
  EXPECT_THROW(select_ridge(Series{x}, std::vector<ForecastTarget>{{x, 36}}, window, {{1.0}}), ShapeError);
  EXPECT_THROW(select_ridge(Series{x}, std::vector<ForecastTarget>{{x, -1}}, window, {{1.0}}), ShapeError);
}

}  // namespace
}  // namespace lookback
