#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "lookback/tasks/task.h"

namespace lookback::tasks {
namespace {

Prediction example() {
  return {.line = 3,
          .source = {"\xE2\x96\x81"
                     "ein",
                     "\"Haus\""},
          .outputs = {{.text = "a \"house\"",
                       .tokens = {"a", "\"house\""},
                       .score = -0.1,
                       .log_prob = -1.0 / 3,
                       .token_log_probs = {-0.25, -1e-9, 0},
                       .alignment = Tensor::of<float>({3, 2}, {0.1F, 0.9F, 1.0F / 3, 2.0F / 3, 1, 0})},
                      {.text = "", .score = -2, .log_prob = -2}}};
}

TEST(Format, Text) {
  EXPECT_EQ(format_prediction(example(), "text"), "a \"house\"\n");
  EXPECT_EQ(format_prediction({.line = 1, .outputs = {{}}}, "text"), "\n");
}

TEST(Format, JsonLinesReadBackExactly) {
  const std::string line = format_prediction(example(), "jsonl");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto j = nlohmann::json::parse(line);
  EXPECT_EQ(j["line"], 3);
  EXPECT_EQ(j["source"][1], "\"Haus\"");
  ASSERT_EQ(j["outputs"].size(), 2U);
  const auto& first = j["outputs"][0];
  EXPECT_EQ(first["text"], "a \"house\"");
  EXPECT_EQ(first["tokens"].size(), 2U);
  EXPECT_EQ(first["score"].get<double>(), -0.1);
  EXPECT_EQ(first["log_prob"].get<double>(), -1.0 / 3);
  EXPECT_EQ(first["token_log_probs"][1].get<double>(), -1e-9);
  ASSERT_EQ(first["alignment"].size(), 3U);
  EXPECT_EQ(first["alignment"][1][0].get<float>(), 1.0F / 3);
  EXPECT_TRUE(j["outputs"][1]["alignment"].empty());
}

TEST(Format, JsonStaysJsonWhateverTheModelSays) {
  Prediction p = example();
  p.outputs[0].text = std::string("\n\t\\ \xFF\0", 6);
  p.outputs[0].tokens = {"\x01", "\xC3"};
  p.outputs[0].log_prob = -INFINITY;
  p.outputs[0].score = NAN;
  const std::string line = format_prediction(p, "jsonl");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto j = nlohmann::json::parse(line);
  EXPECT_TRUE(j["outputs"][0]["log_prob"].is_null());
  EXPECT_TRUE(j["outputs"][0]["score"].is_null());
}

TEST(Format, NBestIsMosesFormat) {
  EXPECT_EQ(format_prediction(example(), "nbest"),
            "2 ||| a \"house\" ||| LogProb= -0.3333333333333333 ||| -0.1\n"
            "2 |||  ||| LogProb= -2 ||| -2\n");
}

TEST(Format, AResultIsOneLine) {
  Prediction p = example();
  p.outputs[0].text = "a\r\nb\n";
  EXPECT_EQ(format_prediction(p, "text"), "a  b \n");
  const std::string nbest = format_prediction(p, "nbest");
  EXPECT_EQ(std::count(nbest.begin(), nbest.end(), '\n'), 2);
}

TEST(Format, UnknownFormatsAreRefused) { EXPECT_THROW(format_prediction(example(), "xml"), ConfigError); }

TEST(AttentionMap, TheEndHasARowOfItsOwn) {
  const auto map = attention_map(example());
  EXPECT_EQ(map.rows.tokens, (std::vector<std::string>{"a", "\"house\"", "</s>"}));
  EXPECT_EQ(map.columns.tokens.size(), 2U);
  EXPECT_EQ(map.row_scores.size(), 3U);
  EXPECT_NO_THROW(viz::check_figure(map));
  Prediction cut = example();
  cut.outputs[0].alignment = cut.outputs[0].alignment.rows(0, 2);
  cut.outputs[0].token_log_probs.pop_back();
  EXPECT_EQ(attention_map(cut).rows.tokens.size(), 2U);
  EXPECT_NO_THROW(viz::check_figure(attention_map(cut)));
  EXPECT_THROW(attention_map(example(), 2), std::out_of_range);
}

}  // namespace
}  // namespace lookback::tasks
