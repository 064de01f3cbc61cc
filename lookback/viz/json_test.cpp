#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <nlohmann/json.hpp>

#include "lookback/viz/test_figures.h"

namespace lookback::viz {
namespace {

TEST(Json, ReadsBackToTheSameBits) {
  HeatMap map = german_english();
  float* w = map.weights.data<float>();
  w[0] = 1.0f / 3, w[1] = std::numeric_limits<float>::denorm_min(), w[2] = std::numeric_limits<float>::max();
  w[3] = -0.0f, w[4] = 0x1.fffffep-1f, w[5] = 1e-7f;
  map.row_scores[0] = -0.1 - 1e-17 - 1.0 / 3;
  const auto json = nlohmann::json::parse(to_json(map));
  ASSERT_EQ(json["weights"].size(), map.rows.tokens.size());
  for (size_t u = 0; u < map.rows.tokens.size(); ++u) {
    ASSERT_EQ(json["weights"][u].size(), map.columns.tokens.size());
    for (size_t t = 0; t < map.columns.tokens.size(); ++t)
      EXPECT_EQ(std::bit_cast<uint32_t>(json["weights"][u][t].get<float>()),
                std::bit_cast<uint32_t>(w[u * map.columns.tokens.size() + t]))
          << u << "," << t;
  }
  EXPECT_EQ(json["source"].get<std::vector<std::string>>(), map.columns.tokens);
  EXPECT_EQ(json["target"].get<std::vector<std::string>>(), map.rows.tokens);
  EXPECT_EQ(json["scores"].get<std::vector<double>>(), map.row_scores);
  EXPECT_EQ(json["title"], map.title);
}

TEST(Json, HostileTokensStayTokens) {
  const HeatMap map = hostile();
  const auto json = nlohmann::json::parse(to_json(map));
  EXPECT_EQ(json["source"][2], "<script>alert(1)</script>");
  EXPECT_EQ(json["source"][4], "\033[31mred");
  EXPECT_EQ(json["source"][6].get<std::string>(), std::string("\0x", 2));
  EXPECT_EQ(json["source"][7], "\uFFFD\uFFFD");
  EXPECT_EQ(json["target"][2], "e\u0301\u0302");
  EXPECT_TRUE(json["scores"].is_null());
}

TEST(Json, EmptySides) {
  HeatMap map;
  EXPECT_EQ(nlohmann::json::parse(to_json(map))["weights"].size(), 0U);
  map.rows.tokens = {"a", "b"};
  const auto json = nlohmann::json::parse(to_json(map));
  EXPECT_EQ(json["weights"].dump(), "[[],[]]");
}

TEST(Json, AxesAreKeys) {
  const auto json = nlohmann::json::parse(to_json(question_and_context()));
  EXPECT_EQ(json["context"].size(), 12U);
  EXPECT_EQ(json["the <question>"].size(), 11U);
  EXPECT_FALSE(json.contains("source"));
}

TEST(Json, TotalsAreTheTrueSums) {
  const HeatMap map = with_totals(german_english());
  const auto json = nlohmann::json::parse(to_json(map));
  EXPECT_EQ(json["target"][11], "Σ");
  EXPECT_EQ(json["weights"][11][9].get<float>(), map.weights.data<float>()[11 * 12 + 9]);
  EXPECT_GT(json["weights"][11][9].get<float>(), 1.4f);
  EXPECT_EQ(json["scores"].size(), 12U);
}

TEST(Json, Highlight) {
  const viz::Highlight h = review();
  const auto json = nlohmann::json::parse(to_json(h));
  EXPECT_EQ(json["generator"], "lookback");
  EXPECT_EQ(json["title"], h.title);
  EXPECT_EQ(json["words"].get<std::vector<std::string>>(), h.words.tokens);
  ASSERT_EQ(json["weights"].size(), 1U);  // one hop
  EXPECT_EQ(json["weights"][0][5].get<float>(), 0.09f);
  EXPECT_EQ(json["probabilities"][1]["label"], "mixed");
  EXPECT_EQ(json["probabilities"][1]["probability"].get<double>(), 0.1427);
  EXPECT_TRUE(is_drawing(to_json(h)));

  EXPECT_EQ(nlohmann::json::parse(to_json(two_hops()))["weights"][1][7].get<float>(), 0.5f);
  const auto hostile = nlohmann::json::parse(to_json(hostile_highlight()));
  EXPECT_EQ(hostile["words"].size(), 25U);
  EXPECT_EQ(hostile["probabilities"][0]["label"], "<b>\uFFFD\n");
  const auto empty = nlohmann::json::parse(to_json(viz::Highlight{}));
  EXPECT_EQ(empty["weights"].dump() + empty["probabilities"].dump(), "[[]][]");
}

TEST(Json, PartsAndCellsWhereThereAreAny) {
  auto json = nlohmann::json::parse(to_json(sentences()));
  EXPECT_EQ(json["parts"].size(), 3U);
  EXPECT_EQ(json["parts"][1]["words"], 7);
  EXPECT_EQ(json["parts"][1]["weight"].get<float>(), 0.64f);
  EXPECT_EQ(nlohmann::json::parse(to_json(hostile_parts()))["parts"][0]["weight"].get<float>(), -3e38f);
  EXPECT_FALSE(nlohmann::json::parse(to_json(review())).contains("parts"));

  json = nlohmann::json::parse(to_json(answers()));
  EXPECT_EQ(json["cells"].dump(), R"([["50","3","0"],["12","40","1"],["0","0","0"]])");
  EXPECT_EQ(json["gold"][0], "bad");
  EXPECT_EQ(nlohmann::json::parse(to_json(with_totals(answers())))["cells"].size(), 3U);
  const HeatMap table = hostile_table();
  EXPECT_EQ(nlohmann::json::parse(to_json(table))["cells"][10][2], table.cells[10 * 12 + 2]);
  EXPECT_FALSE(nlohmann::json::parse(to_json(german_english())).contains("cells"));
}

TEST(Json, WhatIsMarked) {
  EXPECT_EQ(nlohmann::json::parse(to_json(marked_review()))["marked"].dump(), "[11,14]");
  EXPECT_EQ(nlohmann::json::parse(to_json(with_totals(marked_map())))["marked"].dump(), "[2,5]");
  EXPECT_FALSE(nlohmann::json::parse(to_json(review())).contains("marked"));
}

TEST(Json, ChartHasAllNumbersAsGiven) {
  const Chart chart = attention_chart();
  const auto json = nlohmann::json::parse(to_json(chart));
  EXPECT_EQ(json["generator"], "lookback");
  EXPECT_EQ(json["title"], chart.title);
  EXPECT_EQ(json["x"]["name"], "time");
  EXPECT_EQ(json["x"]["labels"].get<std::vector<std::string>>(), chart.x.tokens);
  const auto& lines = json["panels"][0]["lines"];
  EXPECT_EQ(json["panels"][0]["name"], "load in MW");
  EXPECT_EQ(lines[0]["values"].get<std::vector<double>>(), chart.panels[0].lines[0].values);
  EXPECT_EQ(lines[1]["first"], 120);
  EXPECT_EQ(lines[1]["bands"][1]["name"], "95 %");
  EXPECT_EQ(lines[1]["bands"][1]["high"].get<std::vector<double>>(), chart.panels[0].lines[1].bands[1].high);
  EXPECT_EQ(lines[2]["dots"], true);
  EXPECT_TRUE(lines[2]["values"][23].is_null());  // not known yet
  EXPECT_EQ(json["rules"].dump(), R"([{"name":"origin","position":119}])");
  EXPECT_EQ(json["strips"][1]["weights"].get<std::vector<double>>(), chart.strips[1].weights);
  EXPECT_EQ(json["bars"][7].dump(),
            nlohmann::json({{"group", "24 hours ahead"}, {"name", "hour of the day"}, {"value", chart.bars[7].value}})
                .dump());
  EXPECT_TRUE(is_drawing(to_json(chart)));

  const auto hostile = nlohmann::json::parse(to_json(hostile_chart()));
  EXPECT_EQ(hostile["panels"][0]["lines"][7]["name"], "\uFFFD\uFFFD");
  EXPECT_EQ(hostile["panels"][0]["lines"][0]["values"].dump(), "[1e+300,null,-1e+300,null,null,1e-300,0,-0.0]");
  EXPECT_EQ(hostile["panels"][3]["lines"][0]["values"].get<std::vector<double>>(),
            hostile_chart().panels[3].lines[0].values);
  Chart many = attention_chart();
  many.bars.resize(300, {"", "b", 1});
  EXPECT_EQ(nlohmann::json::parse(to_json(many))["bars"].size(), 300U);
}

}  // namespace
}  // namespace lookback::viz
