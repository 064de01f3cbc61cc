#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <nlohmann/json.hpp>

#include "lookback/viz/test_maps.h"

namespace lookback::viz {
namespace {

TEST(Json, ReadsBackToTheSameBits) {
  AttentionMap map = german_english();
  float* w = map.weights.data<float>();
  w[0] = 1.0f / 3, w[1] = std::numeric_limits<float>::denorm_min(), w[2] = std::numeric_limits<float>::max();
  w[3] = -0.0f, w[4] = 0x1.fffffep-1f, w[5] = 1e-7f;
  map.target_scores[0] = -0.1 - 1e-17 - 1.0 / 3;
  const auto json = nlohmann::json::parse(to_json(map));
  ASSERT_EQ(json["weights"].size(), map.target.size());
  for (size_t u = 0; u < map.target.size(); ++u) {
    ASSERT_EQ(json["weights"][u].size(), map.source.size());
    for (size_t t = 0; t < map.source.size(); ++t)
      EXPECT_EQ(std::bit_cast<uint32_t>(json["weights"][u][t].get<float>()),
                std::bit_cast<uint32_t>(w[u * map.source.size() + t]))
          << u << "," << t;
  }
  EXPECT_EQ(json["source"].get<std::vector<std::string>>(), map.source);
  EXPECT_EQ(json["target"].get<std::vector<std::string>>(), map.target);
  EXPECT_EQ(json["scores"].get<std::vector<double>>(), map.target_scores);
  EXPECT_EQ(json["title"], map.title);
}

TEST(Json, HostileTokensStayTokens) {
  const AttentionMap map = hostile();
  const auto json = nlohmann::json::parse(to_json(map));
  EXPECT_EQ(json["source"][2], "<script>alert(1)</script>");
  EXPECT_EQ(json["source"][4], "\033[31mred");
  EXPECT_EQ(json["source"][6].get<std::string>(), std::string("\0x", 2));
  EXPECT_EQ(json["source"][7], "\uFFFD\uFFFD");
  EXPECT_EQ(json["target"][2], "e\u0301\u0302");
  EXPECT_TRUE(json["scores"].is_null());
}

TEST(Json, EmptySides) {
  AttentionMap map;
  EXPECT_EQ(nlohmann::json::parse(to_json(map))["weights"].size(), 0U);
  map.target = {"a", "b"};
  const auto json = nlohmann::json::parse(to_json(map));
  EXPECT_EQ(json["weights"].dump(), "[[],[]]");
}

}  // namespace
}  // namespace lookback::viz
