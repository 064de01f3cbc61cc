#include "lookback/tasks/label_report.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/metrics/classification.h"

namespace lookback::tasks {
namespace {

using Sets = std::vector<std::vector<int32_t>>;

const data::Labels kThree({"a", "b", "c"}, {}, "test");
const data::Labels kSeveral({"a", "b"}, {.several = true}, "test");

LabelledOutputs outputs() {
  return {kThree,
          {{0}, {1}, {2}, {1}, {-1}},
          {{0}, {1}, {1}, {1}, {0}},
          {0.8, 0.1, 0.1, 0.2, 0.5, 0.3, 0.1, 0.6, 0.3, 0.3, 0.4, 0.3, 0.9, 0.1, 0.0}};
}

TEST(LabelReport, ScoresOfProbabilitiesAreThoseOfClassification) {
  const std::vector<int64_t> gold{0, 1, 2, 1};
  std::vector<double> p = outputs().probabilities;
  p.resize(12);
  const auto lines = probability_scores(outputs(), 0);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].name, "auc");
  EXPECT_NEAR(lines[0].value, 100 * metrics::roc_auc_one_vs_rest(gold, p), 1e-12);
  EXPECT_EQ(lines[0].signature, "average:macro|examples:4|version:lookback-0.1.0");
  EXPECT_EQ(lines[1].name, "ece");
  EXPECT_NEAR(lines[1].value, 100 * metrics::calibration_error(gold, p), 1e-12);
  const auto with = probability_scores(outputs(), 50);
  EXPECT_LE(with[0].interval->lower, with[0].interval->upper);
}

TEST(LabelReport, ExamplesOfOneLabelHaveNoCurve) {
  const LabelledOutputs one{kThree, {{0}, {0}}, {{0}, {1}}, {0.8, 0.1, 0.1, 0.2, 0.5, 0.3}};
  const auto lines = probability_scores(one, 10);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].name, "ece");
}

TEST(LabelReport, SeveralLabelsAreSeveralQuestions) {
  const LabelledOutputs o{kSeveral, {{0, 1}, {}, {1}}, {{0}, {}, {0, 1}}, {0.9, 0.4, 0.2, 0.1, 0.6, 0.7}};
  const auto lines = probability_scores(o, 0);
  EXPECT_NEAR(lines[0].value, 100, 1e-12) << "each label that is there is likelier than where it is not";
  const std::vector<int64_t> has{1, 1, 0, 0, 0, 1};
  const std::vector<double> both{0.1, 0.9, 0.6, 0.4, 0.8, 0.2, 0.9, 0.1, 0.4, 0.6, 0.3, 0.7};
  EXPECT_NEAR(lines[1].value, 100 * metrics::calibration_error(has, both), 1e-9);
  EXPECT_EQ(text_by_label(o),
            "label  precision  recall    f1  examples\n"
            "a           50.0   100.0  66.7         1\n"
            "b          100.0    50.0  66.7         2\n");
  EXPECT_THROW(confusion_figure(o), ConfigError);
}

TEST(LabelReport, ALabelThatTrainingHasNotIsARowOfItsOwn) {
  const std::string text = text_by_label(outputs());
  EXPECT_NE(text.find("(unseen)        0.0     0.0   0.0         1\n"), std::string::npos) << text;
  const auto figure = std::get<viz::HeatMap>(confusion_figure(outputs()));
  EXPECT_EQ(figure.rows.tokens, (StringList{"a", "b", "c", "(unseen)"}));
  EXPECT_EQ(gold_of(kThree, "x"), (std::vector<int32_t>{-1}));
  EXPECT_EQ(gold_of(kThree, "b"), (std::vector<int32_t>{1}));
  EXPECT_EQ(gold_of(kSeveral, ""), (std::vector<int32_t>{}));
  EXPECT_EQ(gold_of(kSeveral, "b,a"), (std::vector<int32_t>{0, 1}));
}

TEST(LabelReport, TemperatureOfOneOrSeveralLabels) {
  const std::vector<double> logits{4, 0, 0, 0, 3, 0, 2, 0, 0};
  const std::vector<int64_t> gold{0, 1, 1};
  EXPECT_EQ(fitted_temperature(kThree, {{0}, {1}, {1}}, logits), metrics::fit_temperature(gold, logits));
  EXPECT_EQ(fitted_temperature(kThree, {}, {}), 1);
  const std::vector<double> z{2, -1, -3, 4}, two{0, 2, 0, -1, 0, -3, 0, 4};
  const std::vector<int64_t> has{1, 1, 0, 1};
  EXPECT_EQ(fitted_temperature(kSeveral, {{0, 1}, {1}}, z), metrics::fit_temperature(has, two));
}

}  // namespace
}  // namespace lookback::tasks
