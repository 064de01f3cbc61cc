// Against what other libraries said (tests/golden/metrics/forecasts.json, recorded by tools/gen_forecast_metrics.py),
// and against numbers that can be had by hand.
#include "lookback/metrics/forecast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"
#include "lookback/base/testing.h"

namespace lookback::metrics {
namespace {

using Json = nlohmann::json;
using Numbers = std::vector<double>;

constexpr double kBound = 1e-9;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Json& vectors() {
  static const Json json = [] {
    std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/metrics/forecasts.json");
    return Json::parse(in);
  }();
  return json;
}

// Numbers in lists of any depth; null is NaN.
Numbers numbers(const Json& json) {
  if (json.is_null()) return {kNan};
  if (json.is_number()) return {json.get<double>()};
  Numbers out;
  for (const Json& part : json)
    for (const double x : numbers(part)) out.push_back(x);
  return out;
}

// Windows and the histories that they look at.
struct Recorded {
  explicit Recorded(const Json& json)
      : scoring{.levels = numbers(json["levels"]), .seasonality = json["seasonality"].get<int64_t>()} {
    for (const Json& w : json["windows"]) histories.push_back(numbers(w["history"]));
    for (const Json& w : json["windows"])
      windows.push_back({.series = w["series"],
                         .actual = numbers(w["actual"]),
                         .point = numbers(w["point"]),
                         .quantiles = numbers(w["quantiles"]),
                         .samples = numbers(w["samples"]),
                         .history = histories[windows.size()]});
  }
  std::vector<Numbers> histories;
  std::vector<ForecastWindow> windows;
  ForecastScoring scoring;
};

// All scores that a library has of a part; returns how many had a value.
int expect_scores(const ForecastReport& report, const ForecastScores& scores, const Json& expected) {
  int compared = 0;
  for (const auto& [name, value] : expected.items()) {
    const std::optional<double> ours = scores.scores[report.find(name)].value;
    EXPECT_EQ(ours.has_value(), !value.is_null()) << name;
    if (!ours || value.is_null()) continue;
    EXPECT_NEAR(*ours, value.get<double>(), kBound * std::max(1e-6, std::abs(value.get<double>()))) << name;
    ++compared;
  }
  return compared;
}

TEST(ForecastGolden, EveryPartOfEveryLibrary) {
  ASSERT_GT(vectors()["cases"].size(), 10u);
  std::map<std::string, int> compared;
  for (const Json& c : vectors()["cases"]) {
    const Recorded r(c);
    const ForecastReport report = score_forecasts(r.windows, r.scoring);
    for (const auto& [library, parts] : c["expected"].items()) {
      SCOPED_TRACE(c["name"].get<std::string>() + ": " + library);
      int& count = compared[library];
      if (parts.contains("overall")) count += expect_scores(report, report.overall, parts["overall"]);
      if (parts.contains("windows")) {
        ASSERT_EQ(parts["windows"].size(), r.windows.size());
        for (size_t k = 0; k < r.windows.size(); ++k) {
          SCOPED_TRACE("window " + std::to_string(k));
          const ForecastReport one = score_forecasts(std::span(&r.windows[k], 1), r.scoring);
          count += expect_scores(one, one.overall, parts["windows"][k]);
        }
      }
      if (parts.contains("series")) {
        ASSERT_EQ(parts["series"].size(), report.by_series.size());
        for (const auto& [series, scores] : parts["series"].items()) {
          SCOPED_TRACE("series " + series);
          count += expect_scores(report, report.by_series.at(std::stoll(series)), scores);
        }
      }
      if (parts.contains("steps")) {
        ASSERT_EQ(parts["steps"].size(), report.by_step.size());
        for (size_t h = 0; h < report.by_step.size(); ++h) {
          SCOPED_TRACE("step " + std::to_string(h));
          count += expect_scores(report, report.by_step[h], parts["steps"][h]);
        }
      }
    }
  }
  EXPECT_GT(compared["utilsforecast"], 5000);
  EXPECT_GT(compared["gluonts"], 1500);
  EXPECT_GT(compared["scikit-learn"], 150);
  EXPECT_GT(compared["scoringrules"], 100);
  EXPECT_GT(compared["properscoring"], 100);
}

void expect_interval(const Interval& interval, const Json& expected) {
  EXPECT_NEAR(interval.mean, expected["mean"].get<double>(), kBound);
  EXPECT_NEAR(interval.lower, expected["lower"].get<double>(), kBound);
  EXPECT_NEAR(interval.upper, expected["upper"].get<double>(), kBound);
}

TEST(ForecastGolden, Resamples) {
  const Json& json = vectors()["bootstrap"];
  const Recorded r(json);
  std::vector<ForecastWindow> other = r.windows;
  for (size_t k = 0; k < other.size(); ++k) other[k].point = numbers(json["other"][k]);
  const BootstrapOptions options{.samples = json["samples"], .seed = json["seed"]};
  for (const auto& [name, expected] : json["intervals"].items()) {
    SCOPED_TRACE(name);
    expect_interval(forecast_interval(r.windows, r.scoring, name, options), expected);
    expect_interval(forecast_difference_interval(r.windows, other, r.scoring, name, options),
                    json["differences"][name]);
  }
}

const Numbers kPast{1, 3, 2, 5};  // m = 1: |d| 2, 1, 3, mean 2; squares 4, 1, 9, mean 14/3

ForecastWindow window(Numbers actual, Numbers point, std::span<const double> history = kPast) {
  return {.actual = std::move(actual), .point = std::move(point), .history = history};
}

ForecastReport report_of(const std::vector<ForecastWindow>& windows, const ForecastScoring& scoring = {}) {
  return score_forecasts(windows, scoring);
}

TEST(Forecast, ByHand) {
  const ForecastReport r = report_of({window({4, 10}, {5, 7})});
  EXPECT_EQ(r.names, (StringList{"mae", "mse", "rmse", "mape", "smape", "mase", "rmsse"}));
  EXPECT_EQ(r.at("mae").value, 2);
  EXPECT_EQ(r.at("mse").value, 5);
  EXPECT_EQ(r.at("rmse").value, std::sqrt(5.0));
  EXPECT_NEAR(*r.at("mape").value, 100 * (1 / 4.0 + 3 / 10.0) / 2, 1e-12);
  EXPECT_NEAR(*r.at("smape").value, 100 * (1 / 9.0 + 3 / 17.0) / 2, 1e-12);
  EXPECT_EQ(r.at("mase").value, 1);
  EXPECT_NEAR(*r.at("rmsse").value, std::sqrt(5 / (14 / 3.0)), 1e-15);
  EXPECT_EQ(r.at("mae").count, 2);
  EXPECT_EQ(r.at("mase").count, 1);
  ASSERT_EQ(r.by_step.size(), 2u);
  EXPECT_EQ(r.by_step[0].scores[r.find("mase")].value, 0.5);
  EXPECT_EQ(r.by_step[1].scores[r.find("mse")].value, 9);
}

TEST(Forecast, QuantilesByHand) {
  ForecastWindow w = window({4, 10}, {5, 7});
  w.quantiles = {3, 8, 5, 7, 4, 9};  // 0.25: 3 8, 0.5: 5 7, 0.75: 4 9 (which crosses)
  const ForecastReport r = report_of({w}, {.levels = {0.25, 0.5, 0.75}});
  EXPECT_EQ(r.names, (StringList{"mae", "mse", "rmse", "mape", "smape", "mase", "rmsse", "wql", "crps_quantiles",
                                 "quantile_loss[0.25]", "calibration[0.25]", "quantile_loss[0.5]", "calibration[0.5]",
                                 "quantile_loss[0.75]", "calibration[0.75]", "coverage[50]", "width[50]", "msis[50]"}));
  EXPECT_EQ(r.at("quantile_loss[0.25]").value, (0.25 + 0.5) / 2);
  EXPECT_EQ(r.at("quantile_loss[0.5]").value, (0.5 + 1.5) / 2);
  EXPECT_EQ(r.at("quantile_loss[0.75]").value, (0 + 0.75) / 2);
  EXPECT_NEAR(*r.at("crps_quantiles").value, 2 * 3.5 / 6, 1e-15);
  EXPECT_NEAR(*r.at("wql").value, 2 * 3.5 / 3 / 14, 1e-15);
  EXPECT_EQ(r.at("calibration[0.25]").value, 0);
  EXPECT_EQ(r.at("calibration[0.75]").value, 50);  // 4 <= 4 counts
  EXPECT_EQ(r.at("coverage[50]").value, 50);       // 4 in [3, 4], 10 not in [8, 9]
  EXPECT_EQ(r.at("width[50]").value, 1);
  EXPECT_EQ(r.at("msis[50]").value, (1 + (1 + 2 / 0.5 * 1)) / 2 / 2);
}

TEST(Forecast, CrpsByHand) {
  ForecastWindow w = window({4, 10}, {5, 7});
  w.samples = {3, 10, 7, 10, 4, 10};  // paths 3 10, 7 10, 4 10
  const ForecastReport r = report_of({w});
  EXPECT_EQ(r.names.back(), "crps");
  EXPECT_NEAR(*r.by_step[0].scores.back().value, (1 + 3 + 0) / 3.0 - (4 + 1 + 3) / 9.0, 1e-15);
  EXPECT_EQ(r.by_step[1].scores.back().value, 0);
  w.samples = {6, 9};  // one path: the absolute error
  EXPECT_EQ(report_of({w}).at("crps").value, 1.5);
}

// What is far from 0 loses no digits, and the order of the paths says nothing.
TEST(Forecast, CrpsFarFromZero) {
  ForecastWindow near = window({4}, {5}), far = window({4 + 0x1p40}, {5});
  near.samples = {3, 7, 4.5}, far.samples = {7 + 0x1p40, 4.5 + 0x1p40, 3 + 0x1p40};
  EXPECT_EQ(report_of({near}).at("crps").value, report_of({far}).at("crps").value);
}

TEST(Forecast, WindowsCountAlikeInScaledScoresValuesInTheOthers) {
  ForecastWindow a = window({1, 1, 1}, {2, 2, 2}), b = window({1}, {6});
  a.series = 7, b.series = -2;
  const ForecastReport r = report_of({a, b});
  EXPECT_EQ(r.at("mae").value, (3 * 1 + 5) / 4.0);
  EXPECT_EQ(r.at("mase").value, (0.5 + 2.5) / 2);
  EXPECT_EQ(r.by_series.at(7).scores[r.find("mae")].value, 1);
  EXPECT_EQ(r.by_series.at(-2).scores[r.find("mase")].value, 2.5);
  EXPECT_EQ(r.by_step[2].windows, 1);
}

TEST(Forecast, MissingValues) {
  ForecastWindow w = window({kNan, 10}, {5, 7}), none = window({kNan}, {1});
  const ForecastReport r = report_of({w, none});
  EXPECT_EQ(r.overall.windows, 1);
  EXPECT_EQ(r.overall.empty, 1);
  EXPECT_EQ(r.overall.values, 1);
  EXPECT_EQ(r.overall.missing, 2);
  EXPECT_EQ(r.at("mae").value, 3);
  EXPECT_EQ(r.at("mase").value, 1.5);
  EXPECT_EQ(r.at("mase").skipped, 0);
  for (const ForecastScore& score : r.by_step[0].scores) {
    EXPECT_FALSE(score.value);
    EXPECT_EQ(score.count, 0);
    EXPECT_EQ(score.skipped, 0);
  }
  EXPECT_EQ(r.by_step[0].empty, 2);
}

TEST(Forecast, ZerosAreSkippedAndCounted) {
  ForecastWindow w = window({0, 0, 4}, {0, 1, 5});
  w.quantiles = {0, 1, 5};
  ForecastReport r = report_of({w}, {.levels = {0.5}});
  EXPECT_EQ(r.at("mape").value, 25);
  EXPECT_EQ(r.at("mape").count, 1);
  EXPECT_EQ(r.at("mape").skipped, 2);
  EXPECT_NEAR(*r.at("smape").value, 100 * (0 + 1 + 1 / 9.0) / 3, 1e-12);
  EXPECT_EQ(r.at("wql").value, 2 / 4.0);
  w.actual = {0, 0, 0};
  r = report_of({w}, {.levels = {0.5}});
  for (const char* name : {"mape", "wql"}) {
    EXPECT_FALSE(r.at(name).value);
    EXPECT_EQ(r.at(name).count, 0);
    EXPECT_EQ(r.at(name).skipped, 3);
  }
  EXPECT_EQ(r.at("mae").value, 2);
}

TEST(Forecast, HistoriesWithoutAScale) {
  const Numbers constant{3, 3, 3}, one{3}, apart{1, kNan, 2, kNan}, nothing;
  for (const Numbers& history : {constant, one, apart, nothing}) {
    const ForecastReport r = report_of({window({4}, {5}, history), window({4}, {5})});
    for (const char* name : {"mase", "rmsse"}) {
      EXPECT_EQ(r.at(name).count, 1);
      EXPECT_EQ(r.at(name).skipped, 1);
    }
    EXPECT_EQ(r.at("mase").value, 0.5);
  }
  EXPECT_EQ(report_of({window({4}, {5}, apart)}, {.seasonality = 2}).at("mase").value, 1);
  EXPECT_EQ(report_of({window({4}, {5})}, {.seasonality = 4}).at("mase").skipped, 1);
}

// Histories that begin alike are gone through once; a copy of each for itself has the same scores, to the bit.
TEST(Forecast, HistoriesThatGoOnAreScoredAsByThemselves) {
  Numbers series, other;
  for (int t = 0; t < 90; ++t) series.push_back(std::sin(0.7 * t) + 0.01 * t * t), other.push_back(std::cos(1.3 * t));
  series[17] = series[40] = kNan;
  std::vector<ForecastWindow> windows;
  for (const size_t origin : {0, 3, 7, 8, 20, 20, 41, 60, 30, 31, 88})
    for (const Numbers* const of : origin % 2 ? std::vector{&series, &other} : std::vector{&series})
      windows.push_back({.series = of == &other,
                         .actual = {(*of)[origin], (*of)[origin + 1]},
                         .point = {1.5, -0.5},
                         .history = std::span(*of).first(origin)});
  std::vector<Numbers> copies;
  for (const ForecastWindow& w : windows) copies.emplace_back(w.history.begin(), w.history.end());
  std::vector<ForecastWindow> alone = windows;
  for (size_t k = 0; k < alone.size(); ++k) alone[k].history = copies[k];
  const ForecastScoring scoring{.seasonality = 5};
  const auto together = score_forecasts(windows, scoring), apart = score_forecasts(alone, scoring);
  for (size_t k = 0; k < together.names.size(); ++k) {
    EXPECT_EQ(together.overall.scores[k].value, apart.overall.scores[k].value) << together.names[k];
    EXPECT_EQ(together.overall.scores[k].skipped, apart.overall.scores[k].skipped) << together.names[k];
  }
  EXPECT_GT(together.at("mase").count, 5);
  series[70] = kInfinity;
  windows.back().history = std::span(series).first(71);
  EXPECT_THROW(score_forecasts(windows, scoring), NumericError);
}

TEST(Forecast, UnknownScores) {
  EXPECT_EQ(message_of<ConfigError>([] { report_of({window({4}, {5})}).at("smapes"); }),
            "unknown forecast score 'smapes'; did you mean 'smape'?");
}

TEST(Forecast, WhatDoesNotFit) {
  EXPECT_THROW(report_of({}), ShapeError);
  EXPECT_THROW(report_of({window({}, {})}), ShapeError);
  EXPECT_EQ(message_of<ShapeError>([] {
              report_of({window({4}, {5}), window({4, 5}, {5})});
            }),
            "forecast window 2: 1 point forecasts for 2 steps");
  ForecastWindow w = window({4, 5}, {5, 6});
  EXPECT_THROW(report_of({w}, {.levels = {0.5}}), ShapeError);
  w.quantiles = {5, 6};
  EXPECT_THROW(report_of({w}), ShapeError);
  w = window({4, 5}, {5, 6});
  w.samples = {5, 6, 7};
  EXPECT_THROW(report_of({w}), ShapeError);
  w.samples = {5, 6};
  EXPECT_THROW(report_of({w, window({4}, {5})}), ShapeError);
  EXPECT_THROW(report_of({window({4}, {5}), w}), ShapeError);
}

TEST(Forecast, BadOptions) {
  const std::vector<ForecastWindow> w{window({4}, {5})};
  EXPECT_THROW(report_of(w, {.seasonality = 0}), ConfigError);
  for (const Numbers& levels : {Numbers{0}, Numbers{1}, Numbers{kNan}, Numbers{0.5, 0.1}, Numbers{0.5, 0.5}})
    EXPECT_THROW(report_of(w, {.levels = levels}), ConfigError);
}

TEST(Forecast, NumbersThatAreNone) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    EXPECT_THROW(report_of({window({4}, {bad})}), NumericError);
    EXPECT_THROW(report_of({window({kNan}, {bad})}), NumericError);
    ForecastWindow w = window({4}, {5});
    w.samples = {bad};
    EXPECT_THROW(report_of({w}), NumericError);
    w = window({4}, {5});
    w.quantiles = {bad};
    EXPECT_THROW(report_of({w}, {.levels = {0.5}}), NumericError);
  }
  const Numbers infinite{1, kInfinity}, great{0, 1e200};
  EXPECT_THROW(report_of({window({kInfinity}, {5})}), NumericError);
  EXPECT_THROW(report_of({window({4}, {5}, infinite)}), NumericError);
  EXPECT_THROW(report_of({window({4}, {5}, great)}), NumericError);
  EXPECT_THROW(report_of({window({4}, {1e200})}), NumericError);
}

TEST(Forecast, IntervalsOfWindowsThatHaveTheScore) {
  const Numbers constant{3, 3};
  std::vector<ForecastWindow> a{window({4}, {5}), window({4}, {6}, constant), window({kNan}, {7})};
  const BootstrapOptions few{.samples = 50};
  Interval i = forecast_interval(a, {}, "mase", few);
  EXPECT_EQ(i.lower, 0.5);
  EXPECT_EQ(i.upper, 0.5);
  i = forecast_interval(a, {}, "mae", few);
  EXPECT_EQ(i.lower, 1);
  EXPECT_EQ(i.upper, 2);
  std::vector<ForecastWindow> b = a;
  for (ForecastWindow& w : b) w.point[0] += 0.25;
  i = forecast_difference_interval(a, b, {}, "mae", few);
  EXPECT_EQ(i.lower, -0.25);
  EXPECT_EQ(i.upper, -0.25);
}

TEST(Forecast, IntervalsThatCannotBe) {
  const Numbers constant{3, 3};
  const std::vector<ForecastWindow> a{window({0}, {5}, constant)};
  EXPECT_THROW(forecast_interval(a, {}, "mase"), FormatError);
  EXPECT_THROW(forecast_interval(a, {}, "crps"), ConfigError);
  EXPECT_THROW(forecast_interval(a, {}, "mae", {.samples = 0}), ConfigError);
  std::vector<ForecastWindow> zero = a;
  zero[0].quantiles = {5};
  EXPECT_THROW(forecast_interval(zero, {.levels = {0.5}}, "wql"), NumericError);
  EXPECT_THROW(forecast_difference_interval(a, {}, {}, "mae"), ShapeError);
  for (const ForecastWindow& b : {window({1}, {5}, constant), window({0}, {5})})
    EXPECT_THROW(forecast_difference_interval(a, std::span(&b, 1), {}, "mae"), ShapeError);
}

}  // namespace
}  // namespace lookback::metrics
