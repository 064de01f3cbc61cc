#include "lookback/viz/chart.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lookback/viz/test_figures.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

ValueAxis axis_of(std::vector<double> values, int most = 6) {
  return value_axis({"", {{.name = "", .values = std::move(values)}}}, most);
}

std::vector<std::string> texts(const ValueAxis& axis) {
  std::vector<std::string> out;
  for (const auto& tick : axis.ticks) out.push_back(tick.text);
  return out;
}

TEST(ValueAxis, HasRoundNumbers) {
  EXPECT_EQ(texts(axis_of({0, 10})), (std::vector<std::string>{"0", "2", "4", "6", "8", "10"}));
  EXPECT_EQ(texts(axis_of({-0.3, 0.3})),
            (std::vector<std::string>{"-0.3", "-0.2", "-0.1", "0.0", "0.1", "0.2", "0.3"}));
  EXPECT_EQ(texts(axis_of({31000, 58000})),
            (std::vector<std::string>{"30000", "35000", "40000", "45000", "50000", "55000"}));
  EXPECT_EQ(texts(axis_of({1e300, -1e300})), (std::vector<std::string>{"-1e+300", "-5e+299", "0", "5e+299", "1e+300"}));
  EXPECT_EQ(texts(axis_of({2e-300})),
            (std::vector<std::string>{"1.8e-300", "1.9e-300", "2e-300", "2.1e-300", "2.2e-300"}));
  EXPECT_EQ(texts(axis_of({7, 7, 7})), (std::vector<std::string>{"6.5", "7.0", "7.5"}));
  EXPECT_EQ(texts(axis_of({0, 0})), (std::vector<std::string>{"-1.0", "-0.5", "0.0", "0.5", "1.0"}));
}

TEST(ValueAxis, HoldsNumbersOfAnySize) {
  constexpr double kMost = std::numeric_limits<double>::max(), kLeast = std::numeric_limits<double>::denorm_min();
  for (const std::vector<double>& values : std::vector<std::vector<double>>{{kMost, -kMost},
                                                                            {kMost},
                                                                            {kLeast},
                                                                            {0, kLeast},
                                                                            {1e300, 1e-300},
                                                                            {1e16, 1e16 + 2},
                                                                            {1e9, 1e9 + 1},
                                                                            {-5, -4},
                                                                            {1e-305, 1e-300},
                                                                            {3e-308, 7e-307},
                                                                            {-kMost, 0},
                                                                            {0.1, 0.1 + 1e-13},
                                                                            {123456.7, 123456.8}})
    for (const int most : {3, 4, 6, 7}) {
      const ValueAxis axis = axis_of(values, most);
      EXPECT_TRUE(std::isfinite(axis.low) && std::isfinite(axis.high) && axis.low < axis.high) << values[0];
      EXPECT_LE(axis.ticks.size(), static_cast<size_t>(most) + 2) << values[0];
      double before = -1;
      for (const auto& tick : axis.ticks) {
        EXPECT_GT(axis.place(tick.value), before) << tick.text;
        EXPECT_LE(axis.place(tick.value), 1);
        before = axis.place(tick.value);
        EXPECT_NEAR(std::stod(tick.text), tick.value, std::abs(tick.value) * 1e-15) << tick.text;
        EXPECT_LT(tick.text.size(), 18U) << tick.text;
      }
      for (const double v : values) EXPECT_TRUE(axis.place(v) >= 0 && axis.place(v) <= 1) << v;
      const auto [low, high] = std::ranges::minmax(values);
      EXPECT_TRUE(high / 2 - low / 2 <= 1e-9 * std::max(std::abs(low), std::abs(high)) || high <= 1e-300 ||
                  axis.place(high) - axis.place(low) > 0.5)
          << low << " " << high;
    }
}

TEST(ValueAxis, BeginsAtZeroWhereThatIsNear) {
  EXPECT_EQ(axis_of({1, 10}).low, 0);
  EXPECT_EQ(axis_of({-1, -10}).high, 0);
  EXPECT_GT(axis_of({9, 10}).low, 8);
  EXPECT_LT(axis_of({-1, 10}).low, -1);
  constexpr double kGap = std::numeric_limits<double>::quiet_NaN();
  const ValueAxis banded =
      value_axis({"", {{.name = "", .values = {5, kGap}, .bands = {{"", {kGap, 4}, {100, 9}}}}}}, 6);
  EXPECT_LT(banded.high, 10);  // half a bound says nothing
  EXPECT_GE(banded.high, 9);
}

LabelRoom room(double step, int64_t n) {
  return {.step = step,
          .gap = 2,
          .left = -4,
          .right = step * static_cast<double>(n) + 4,
          .width = [](const std::string& text) { return static_cast<double>(display_width(text)); }};
}

std::vector<std::string> written(const std::vector<std::string>& labels, double width) {
  std::vector<std::string> out;
  const double step = width / static_cast<double>(labels.size());
  double end = -100;
  for (const auto& [position, text] : axis_labels(labels, room(step, std::ssize(labels)))) {
    const double middle = (static_cast<double>(position) + 0.5) * step,
                 half = static_cast<double>(display_width(text)) / 2;
    EXPECT_GE(middle - half, end + 2 - 1e-9) << text;
    EXPECT_TRUE(middle - half >= -4 && middle + half <= width + 4) << text;
    end = middle + half;
    out.push_back(text);
  }
  return out;
}

TEST(AxisLabels, CountRoundly) {
  std::vector<std::string> labels;
  for (int k = 1; k <= 48; ++k) labels.push_back(std::to_string(k));
  EXPECT_EQ(written(labels, 40), (std::vector<std::string>{"5", "10", "15", "20", "25", "30", "35", "40", "45"}));
  EXPECT_EQ(written(labels, 20), (std::vector<std::string>{"10", "20", "30", "40"}));
  EXPECT_EQ(written({labels.begin(), labels.begin() + 5}, 40), (std::vector<std::string>{"1", "2", "3", "4", "5"}));
}

TEST(AxisLabels, DaysStandAtTheirMidnight) {
  std::vector<std::string> hours, offset, seconds;
  for (int64_t k = 0; k < 168; ++k) hours.push_back(hour_label(k)), offset.push_back(hour_label(k + 7));
  EXPECT_EQ(written(hours, 100), (std::vector<std::string>{"2024-06-02", "2024-06-03", "2024-06-04", "2024-06-05",
                                                           "2024-06-06", "2024-06-07"}));
  EXPECT_EQ(written(offset, 100).front(), "2024-06-02");
  EXPECT_EQ(written(offset, 40), (std::vector<std::string>{"2024-06-02", "2024-06-05", "2024-06-08"}));
  for (const char* day : {"2024-01-01", "2024-01-02", "2024-01-03"}) seconds.push_back(str_cat(day, "T00:00:00Z"));
  EXPECT_EQ(written(seconds, 60), (std::vector<std::string>{"2024-01-01", "2024-01-02", "2024-01-03"}));
  // Half a day has no two midnights.
  EXPECT_TRUE(written({hours.begin() + 1, hours.begin() + 13}, 60).front().ends_with(":00"));
}

TEST(AxisLabels, EndsInCommon) {
  std::vector<std::string> months;
  for (int k = 0; k < 144; ++k) months.push_back(str_cat(1949 + k / 12, k % 12 < 9 ? "-0" : "-", k % 12 + 1));
  for (const std::string& month : written(months, 100)) EXPECT_TRUE(month.ends_with("-01")) << month;
  EXPECT_GE(written(months, 100).size(), 6U);
}

TEST(AxisLabels, AnyLabelsAtAnyWidth) {
  for (const Chart& chart : all_charts())
    for (const double width : {1.0, 12.0, 60.0, 700.0})
      if (!chart.x.tokens.empty()) written(chart.x.tokens, width);
  EXPECT_TRUE(axis_labels({}, room(1, 1)).empty());
  std::vector<std::string> same(5000, "x");
  EXPECT_GE(written(same, 100).size(), 10U);
}

TEST(SeriesOf, LinesOfOneNameAreOne) {
  const Chart chart = back_test();
  const SeriesOf series(chart);
  ASSERT_EQ(series.all().size(), 2U);
  EXPECT_EQ(series(chart.panels[0].lines[5]), 1U);
  EXPECT_EQ(series.all()[1].bands[0].name, "95 %");  // the wider one, though it was given last
  EXPECT_EQ(series.all()[1].bands[1].name, "80 %");
  EXPECT_TRUE(series.told());
  const Chart nameless{.x = {"", {"a"}}, .panels = {{"", {{.name = "", .values = {1}}}}}};
  EXPECT_FALSE(SeriesOf(nameless).told());
}

TEST(Summaries, SayWhatIsInABucket) {
  const Chart chart = fan_chart();
  const SeriesOf series(chart);
  const auto all = buckets(144, 72);
  ASSERT_EQ(all.size(), 72U);
  EXPECT_EQ(all[71].begin, 142);
  EXPECT_EQ(all[71].end, 144);
  const auto said = summaries(chart.panels[0], series, all, 144);
  const auto& past = chart.panels[0].lines[0].values;
  EXPECT_EQ(said[3][0].values.low, std::min(past[6], past[7]));
  EXPECT_EQ(said[3][0].values.high, std::max(past[6], past[7]));
  EXPECT_FALSE(said[3][1].values.any());
  EXPECT_EQ(said[60][1].bands[0].low,
            std::min(chart.panels[0].lines[1].bands[1].low[0], chart.panels[0].lines[1].bands[1].low[1]));
  EXPECT_EQ(summary_text(series.all()[1], said[3][1]), "");
  EXPECT_EQ(stamp(chart, all[3]), "2024-06-01 06:00 to 2024-06-01 07:00");
  Summary one;
  one.values.add(12345.678), one.bands = {{1, 2}, {}};
  EXPECT_EQ(summary_text({.name = "f", .bands = {{"95 %"}, {"80 %"}}}, one), "f 12345.7 (95 %: 1 to 2)");
}

TEST(Bars, AreDrawnUpToAHundred) {
  Chart chart;
  for (int k = 0; k < 130; ++k) chart.bars.push_back({k % 2 ? "a" : "b", std::to_string(k), k == 120 ? 1e9 : k - 10.0});
  const auto groups = bar_groups(chart);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].name, "b");
  EXPECT_EQ(groups[0].bars.size() + groups[1].bars.size(), 100U);
  EXPECT_EQ(groups[1].bars[1]->name, "3");
  EXPECT_EQ(bar_extent(chart).low, -10);
  EXPECT_EQ(bar_extent(chart).high, 89);
  EXPECT_EQ(more_bars(chart), "… and 30 more");
  EXPECT_EQ(bar_extent(Chart{.bars = {{"", "", 0}}}).high, 1);
}

}  // namespace
}  // namespace lookback::viz
