#include "lookback/models/exponential_smoothing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"

namespace lookback {
namespace {

using Json = nlohmann::json;
using Vector = std::vector<double>;
using Trend = SmoothingForm::Trend;

constexpr SmoothingForm kSimple{}, kHolt{Trend::additive}, kDamped{Trend::damped};
SmoothingForm holt_winters(int64_t season) { return {Trend::additive, season}; }

void expect_near(const Vector& got, const Vector& want, double bound = 1e-12) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < want.size(); ++k) EXPECT_NEAR(got[k], want[k], bound) << k;
}

Vector noise(size_t n, uint64_t seed) {
  Rng rng(seed);
  Vector out(n);
  for (double& v : out) v = rng.normal();
  return out;
}

Vector sums(Vector x) {
  for (size_t t = 1; t < x.size(); ++t) x[t] += x[t - 1];
  return x;
}

// ---- by hand ----

TEST(ExponentialSmoothing, AValueMovesTheState) {
  ExponentialSmoothing holt(kHolt, {.alpha = 0.5, .beta = 0.1}, {.level = 10, .slope = 1, .season = {0}}, 0);
  holt.update(13);  // 2 more than 11
  EXPECT_DOUBLE_EQ(holt.state().level, 12);
  EXPECT_DOUBLE_EQ(holt.state().slope, 1.2);
  expect_near(holt.forecast(3), {13.2, 14.4, 15.6});

  ExponentialSmoothing damped(kDamped, {.alpha = 0.5, .beta = 0.1, .phi = 0.9},
                              {.level = 10, .slope = 1, .season = {0}}, 0);
  damped.update(12.9);  // 2 more than 10.9
  expect_near(damped.forecast(2), {11.9 + 0.9 * 1.1, 11.9 + (0.9 + 0.81) * 1.1});

  ExponentialSmoothing season({Trend::none, 2}, {.alpha = 0.5, .gamma = 0.2}, {.level = 10, .season = {1, -2}}, 0);
  season.update(14);  // 3 more than 11
  expect_near(season.forecast(4), {9.5, 13.1, 9.5, 13.1});
}

TEST(ExponentialSmoothing, QuantilesOfTheNormalDistribution) {
  // Of the errors themselves: the standard normal distribution, as Python's statistics.NormalDist has it.
  const ExponentialSmoothing standard(kSimple, {.alpha = 0.5}, {.season = {0}}, 1);
  expect_near(
      standard.quantiles(1, {{0.5, 0.025, 0.975, 0.3, 0.925, 0.999}}),
      {0, -1.9599639845400543, 1.9599639845400543, -0.5244005127080408, 1.4395314709384572, 3.0902323061678136});
  EXPECT_NEAR(standard.quantiles(1, {{1e-10}})[0], -6.361340902404056, 1e-13);
  EXPECT_NEAR(standard.quantiles(1, {{1e-300}})[0], -37.0470962993612, 1e-13);

  // Of six steps, by the closed forms of Hyndman et al. 2008, table 6.2, about a level of 5.
  const double z = 1.9599639845400543, alpha = 0.3, beta = 0.1, gamma = 0.2, phi = 0.9;
  const auto expect_variances = [&](const SmoothingForm& form, const SmoothingWeights& w, auto variance) {
    const ExponentialSmoothing model(form, w, {.level = 5, .season = Vector(static_cast<size_t>(form.season))}, 2);
    Vector want;
    for (int h = 1; h <= 6; ++h) want.push_back(5 + z * 2 * std::sqrt(variance(h)));
    expect_near(model.quantiles(6, {{0.975}}), want);
  };
  expect_variances(kSimple, {alpha}, [&](int h) { return 1 + alpha * alpha * (h - 1); });
  const auto holt = [&](int h) {
    return 1 + (h - 1) * (alpha * alpha + alpha * beta * h + beta * beta * h * (2 * h - 1) / 6);
  };
  expect_variances(kHolt, {alpha, beta}, holt);
  expect_variances({Trend::additive, 2}, {alpha, beta, gamma}, [&](int h) {
    const int k = (h - 1) / 2;  // whole seasons in h - 1 steps
    return holt(h) + gamma * k * (2 * alpha + gamma + beta * 2 * (k + 1));
  });
  expect_variances(kDamped, {.alpha = alpha, .beta = beta, .phi = phi}, [&](int h) {
    const double p = std::pow(phi, h), one = 1 - phi;
    return 1 + alpha * alpha * (h - 1) + beta * phi * h / (one * one) * (2 * alpha * one + beta * phi) -
           beta * phi * (1 - p) / (one * one * (1 - phi * phi)) *
               (2 * alpha * (1 - phi * phi) + beta * phi * (1 + 2 * phi - p));
  });
}

// ---- what a history says ----

TEST(ExponentialSmoothing, ContinuesWhatIsExact) {
  Vector line, season, wanted_line, wanted_season;
  const double pattern[] = {4, -1, 0, -3};
  for (int t = 0; t < 36; ++t) {
    const double v = 3 + 2 * t;
    (t < 28 ? line : wanted_line).push_back(v);
    (t < 28 ? season : wanted_season).push_back(v + pattern[t % 4]);
  }
  const ExponentialSmoothing holt = train_exponential_smoothing(line, kHolt);
  expect_near(holt.forecast(8), wanted_line, 1e-9);
  EXPECT_NEAR(holt.deviation(), 0, 1e-9);
  const ExponentialSmoothing winters = train_exponential_smoothing(season, holt_winters(4));
  expect_near(winters.forecast(8), wanted_season, 1e-2);
  EXPECT_NEAR(winters.deviation(), 0, 1e-2);
}

TEST(ExponentialSmoothing, NoiseIsAveragedAndAWalkIsFollowed) {
  const Vector still = noise(400, 1), walk = sums(noise(400, 2));
  const ExponentialSmoothing average = train_exponential_smoothing(still);
  EXPECT_LT(average.weights().alpha, 0.05);
  EXPECT_NEAR(average.deviation(), 1, 0.1);
  const ExponentialSmoothing last = train_exponential_smoothing(walk);
  EXPECT_GT(last.weights().alpha, 0.9);
  EXPECT_NEAR(last.deviation(), 1, 0.1);
  // A local level of which a quarter of the errors stays.
  Vector level(4000);
  double l = 0;
  Rng rng(3);
  for (double& v : level) {
    const double e = rng.normal();
    v = l + e, l += 0.25 * e;
  }
  EXPECT_NEAR(train_exponential_smoothing(level).weights().alpha, 0.25, 0.03);
}

TEST(ExponentialSmoothing, WhatComesAsForecastChangesNoForecast) {
  const Vector history = sums(noise(60, 4));
  const ExponentialSmoothing trained = train_exponential_smoothing(history, holt_winters(4));
  ExponentialSmoothing moved = trained;
  const Vector next = trained.forecast(4);
  for (const double v : next) moved.update(v);
  const Vector all = trained.forecast(9);
  expect_near(moved.forecast(5), Vector(all.begin() + 4, all.end()), 1e-9);
}

TEST(ExponentialSmoothing, ShortHistories) {
  const Vector x = {3, 1, 4, 1, 5, 9, 2, 6};
  const auto trained = [&](size_t n, const SmoothingForm& form) {
    return train_exponential_smoothing(std::span(x).first(n), form);
  };
  EXPECT_EQ(trained(8, holt_winters(2)).form().season, 2);
  for (const auto& [n, season] : {std::pair<size_t, int64_t>{7, 2}, {8, 5}, {8, INT64_MAX}}) {
    const ExponentialSmoothing holt = trained(n, holt_winters(season));
    EXPECT_EQ(holt.form().season, 1);
    EXPECT_EQ(holt.form().trend, Trend::additive);
    EXPECT_EQ(holt.forecast(4), trained(n, kHolt).forecast(4));
  }
  EXPECT_EQ(trained(5, kHolt).form().trend, Trend::none);
  EXPECT_EQ(trained(7, kDamped).form().trend, Trend::damped);
  EXPECT_EQ(trained(6, kDamped).form().trend, Trend::none);
  EXPECT_EQ(trained(4, {Trend::none, 2}).form().season, 1);

  for (const SmoothingForm& form : {kSimple, kHolt, kDamped, holt_winters(3)}) {
    const ExponentialSmoothing three = trained(3, form);  // changes -2 and 3
    expect_near(three.forecast(2), {4, 4});
    EXPECT_NEAR(three.deviation(), std::sqrt(6.5), 1e-12);
    EXPECT_EQ(three.weights().alpha, 1);
    EXPECT_EQ(trained(1, form).forecast(2), (Vector{3, 3}));
    EXPECT_EQ(trained(1, form).quantiles(2, {{0.1}}), (Vector{3, 3}));
    EXPECT_EQ(trained(0, form).forecast(2), (Vector{0, 0}));
    EXPECT_EQ(trained(0, form).quantiles(2, {{0.1}}), (Vector{0, 0}));
  }
}

TEST(ExponentialSmoothing, ConstantHistories) {
  for (const double v : {0.0, -7.25, 1e300})
    for (const SmoothingForm& form : {kSimple, kHolt, kDamped, holt_winters(7)}) {
      const ExponentialSmoothing model = train_exponential_smoothing(Vector(40, v), form);
      EXPECT_EQ(model.forecast(9), Vector(9, v));
      EXPECT_EQ(model.quantiles(9, {{0.01}}), Vector(9, v));
    }
}

// In whatever unit a series is: a power of two changes no bit.
TEST(ExponentialSmoothing, UnitsDoNotMatter) {
  const Vector x = sums(noise(60, 5));
  for (const SmoothingForm& form : {kSimple, kHolt, kDamped, holt_winters(4)})
    for (const double unit : {0x1p1000, 0x1p-1000}) {
      Vector scaled = x;
      for (double& v : scaled) v *= unit;
      Vector want = train_exponential_smoothing(x, form).quantiles(12, {{0.1, 0.9}});
      for (double& v : want) v *= unit;
      EXPECT_EQ(train_exponential_smoothing(scaled, form).quantiles(12, {{0.1, 0.9}}), want);
    }
}

TEST(ExponentialSmoothing, Refuses) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message_of<FormatError>([&] {
              train_exponential_smoothing(Vector{1, 2, nan});
            }),
            "exponential smoothing: value 3 of a series is nan; fill what is missing first");
  EXPECT_THROW(train_exponential_smoothing(Vector{1, 2, INFINITY}), FormatError);
  EXPECT_THROW(train_exponential_smoothing(Vector{1, 2}, holt_winters(0)), ConfigError);
  ExponentialSmoothing model = train_exponential_smoothing(sums(noise(30, 6)), kHolt);
  EXPECT_THROW(model.update(nan), FormatError);
  EXPECT_THROW(model.forecast(0), ConfigError);
  EXPECT_THROW(model.quantiles(1, {{0.0}}), ConfigError);
  EXPECT_THROW(model.quantiles(1, {{nan}}), ConfigError);
  EXPECT_THROW(ExponentialSmoothing(holt_winters(2), {}, {.season = {0}}, 1), ShapeError);
  EXPECT_THROW(ExponentialSmoothing(kSimple, {}, {.season = {0}, .next = 1}, 1), ShapeError);

  Vector large;
  for (int t = 0; t < 20; ++t) large.push_back(t * 9e306);
  EXPECT_THROW(train_exponential_smoothing(large, kHolt).forecast(100), NumericError);
  const Vector apart = {-1.5e308, 1.5e308, -1.5e308, 1.5e308, -1.5e308, 1.5e308};
  for (const double v : train_exponential_smoothing(apart).forecast(3)) EXPECT_TRUE(std::isfinite(v));
  EXPECT_THROW(train_exponential_smoothing(apart).quantiles(3, {{0.999}}), NumericError);
}

// ---- statsforecast's fits: tests/golden/forecast/smoothing.json, recorded by tools/gen_forecast_baselines.py ----

struct RecordedForm {
  std::string name;
  Trend trend;
  bool seasonal;
};

double smape(const Vector& forecast, const Vector& future) {
  double sum = 0;
  for (size_t h = 0; h < future.size(); ++h)
    sum += 200 * std::abs(forecast[h] - future[h]) / (std::abs(forecast[h]) + std::abs(future[h]));
  return sum / static_cast<double>(future.size());
}

// Ours is the least sum of squared errors, theirs at times stops before: none of theirs is less, unless its weights are
// out of bounds. So forecasts are not the same, and over all series no worse.
TEST(ExponentialSmoothing, FitsAsStatsforecastDoes) {
  std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/forecast/smoothing.json");
  const Json series = Json::parse(in)["series"];
  ASSERT_EQ(series.size(), 100u);
  for (const auto& [name, trend, seasonal] : {RecordedForm{"simple", Trend::none, false},
                                              {"holt", Trend::additive, false},
                                              {"damped", Trend::damped, false},
                                              {"winters", Trend::additive, true},
                                              {"damped_winters", Trend::damped, true}}) {
    double ours = 0, theirs = 0;
    for (const Json& row : series) {
      const auto history = row["history"].get<Vector>(), future = row["future"].get<Vector>();
      const int64_t season = seasonal ? row["season"].get<int64_t>() : 1;
      const ExponentialSmoothing model = train_exponential_smoothing(history, {trend, season});
      const int64_t free = 2 + (trend != Trend::none) * 2 + (trend == Trend::damped) + (seasonal ? season : 0);
      const double sum = model.deviation() * model.deviation() * static_cast<double>(std::ssize(history) - free);
      const Json& recorded = row["forms"][name];
      if (recorded["bounded"]) {
        EXPECT_LE(sum, recorded["sse"].get<double>() * (1 + 1e-6)) << name << row;
      }
      ours += smape(model.forecast(std::ssize(future)), future);
      theirs += recorded["smape"].get<double>();
    }
    EXPECT_LE(ours, 1.02 * theirs) << name;
  }
}

}  // namespace
}  // namespace lookback
