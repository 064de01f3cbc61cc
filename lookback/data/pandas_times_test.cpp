// Against what pandas and GluonTS themselves said: tests/golden/data/time_stamps.json, recorded by
// tools/gen_time_stamps.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lookback/data/calendar_features.h"
#include "lookback/data/find_frequency.h"

namespace lookback::data {
namespace {

using Json = nlohmann::json;
using Stamps = std::vector<Stamp>;

const Json& recorded() {
  static const Json json = [] {
    std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/data/time_stamps.json");
    return Json::parse(in);
  }();
  return json;
}

TEST(PandasTimes, Cells) {
  ASSERT_GT(recorded()["cells"].size(), 200u);
  for (const Json& c : recorded()["cells"]) {
    const auto cell = c[0].get<std::string>();
    const std::string_view cells[] = {cell};
    const StampStyle style = find_style(cells);
    const ParsedStamp parsed = parse_stamp(cell, style);
    EXPECT_EQ(parsed.why, "") << cell;
    EXPECT_EQ(parsed.stamp, c[1].get<Stamp>()) << cell;
    EXPECT_EQ(format_stamp(parsed.stamp, style), cell);
    EXPECT_EQ(parse_style_pattern(style_pattern(style)), style) << cell;
  }
}

TEST(PandasTimes, Frequencies) {
  ASSERT_GT(recorded()["frequencies"].size(), 200u);
  for (const Json& c : recorded()["frequencies"]) {
    SCOPED_TRACE(c.dump());
    const auto found = find_frequency(c[1].get<Stamps>(), {.kind = StampKind::second});
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, parse_frequency(c[0].get<std::string>())) << frequency_alias(*found);
    EXPECT_EQ(parse_frequency(frequency_alias(*found)), *found);
  }
}

TEST(PandasTimes, Steps) {
  ASSERT_GT(recorded()["steps"].size(), 1000u);
  for (const Json& c : recorded()["steps"]) {
    SCOPED_TRACE(c.dump());
    const Frequency frequency = parse_frequency(c[0].get<std::string>());
    const Stamp from = c[1], to = c[3];
    const int64_t k = c[2];
    EXPECT_EQ(advance(from, frequency, k), to);
    EXPECT_EQ(steps_between(from, to, frequency), k);
    EXPECT_EQ(advance(to, frequency, -k), from);
  }
}

TEST(GluonTs, TimeFeatures) {
  ASSERT_EQ(recorded()["features"].size(), 16u);
  for (const Json& c : recorded()["features"]) {
    SCOPED_TRACE(c["alias"]);
    const std::vector<CalendarFeature> features = calendar_features(parse_frequency(c["alias"].get<std::string>()));
    ASSERT_EQ(features.size(), c["names"].size());
    const auto stamps = c["stamps"].get<Stamps>();
    for (size_t k = 0; k < features.size(); ++k) {
      EXPECT_EQ(feature_name(features[k]), c["names"][k].get<std::string>());
      for (size_t i = 0; i < stamps.size(); ++i)
        EXPECT_EQ(feature_value(features[k], stamps[i]), c["values"][k][i].get<double>())
            << feature_name(features[k]) << " of " << stamps[i];
    }
  }
}

TEST(GluonTs, Seasonality) {
  for (const Json& c : recorded()["seasonalities"])
    EXPECT_EQ(seasonality(parse_frequency(c[0].get<std::string>())), c[1].get<int64_t>()) << c;
}

}  // namespace
}  // namespace lookback::data
