#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "lookback/tasks/task.h"

namespace lookback::tasks {
namespace {

Prediction example() {
  return {.line = 3,
          .outputs = {{.text = "a \"house\"",
                       .score = -0.1,
                       .log_prob = -1.0 / 3,
                       .details = io::JsonObject().raw("tokens", R"(["a", "b"])")},
                      {.text = "", .score = -2, .log_prob = -2}},
          .details = io::JsonObject().raw("source", R"(["ein", "\"Haus\""])")};
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
  EXPECT_FALSE(j["outputs"][1].contains("tokens"));
  EXPECT_EQ(first["score"].get<double>(), -0.1);
  EXPECT_EQ(first["log_prob"].get<double>(), -1.0 / 3);
}

TEST(Format, JsonStaysJsonWhateverTheModelSays) {
  Prediction p = example();
  p.outputs[0].text = std::string("\n\t\\ \xFF\0", 6);
  p.outputs[0].details.add("name", "\x01 \xC3");
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

}  // namespace
}  // namespace lookback::tasks
