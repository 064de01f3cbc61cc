// Against what scikit-learn itself said: tests/golden/metrics/labels.json, recorded by tools/gen_label_metrics.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lookback/metrics/classification.h"
#include "lookback/metrics/registry.h"

namespace lookback::metrics {
namespace {

using Json = nlohmann::json;
using Classes = std::vector<int64_t>;
using Numbers = std::vector<double>;

constexpr double kBound = 1e-9;

const Json& vectors() {
  static const Json json = [] {
    std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/metrics/labels.json");
    return Json::parse(in);
  }();
  return json;
}

TEST(ScikitLearn, Classes) {
  ASSERT_GT(vectors()["cases"].size(), 10u);
  for (const Json& c : vectors()["cases"]) {
    SCOPED_TRACE(c["name"]);
    const ConfusionMatrix matrix =
        confusion_matrix(c["gold"].get<Classes>(), c["predicted"].get<Classes>(), c["classes"]);
    EXPECT_EQ(matrix.counts, c["confusion"].get<Classes>());
    const std::vector<ClassCounts> classes = matrix.by_class();
    for (size_t k = 0; k < classes.size(); ++k) {
      EXPECT_NEAR(classes[k].precision(), c["precision"][k].get<double>(), kBound) << k;
      EXPECT_NEAR(classes[k].recall(), c["recall"][k].get<double>(), kBound) << k;
      EXPECT_NEAR(classes[k].f1(), c["f1"][k].get<double>(), kBound) << k;
      EXPECT_EQ(classes[k].gold, c["support"][k].get<int64_t>()) << k;
    }
    const MacroAverages macro = macro_averages(classes);
    EXPECT_NEAR(macro.precision, c["macro"]["precision"].get<double>(), kBound);
    EXPECT_NEAR(macro.recall, c["macro"]["recall"].get<double>(), kBound);
    EXPECT_NEAR(macro.f1, c["macro"]["f1"].get<double>(), kBound);
    for (const char* share : {"precision", "recall", "f1"})
      EXPECT_NEAR(micro_f1(classes), c["micro"][share].get<double>(), kBound);
    EXPECT_NEAR(matthews(classes), c["mcc"].get<double>(), kBound);
  }
}

TEST(ScikitLearn, Probabilities) {
  for (const Json& c : vectors()["cases"]) {
    SCOPED_TRACE(c["name"]);
    const auto gold = c["gold"].get<Classes>();
    const auto probabilities = c["probabilities"].get<Numbers>(), logits = c["logits"].get<Numbers>();
    EXPECT_NEAR(negative_log_likelihood(gold, probabilities), c["log_loss"].get<double>(), kBound);
    EXPECT_NEAR(negative_log_likelihood_of_logits(gold, logits), c["nll"].get<double>(), kBound);
    EXPECT_NEAR(fit_temperature(gold, logits), c["temperature"].get<double>(), kBound);
    for (const auto& [bins, error] : c["calibration_error"].items())
      EXPECT_NEAR(calibration_error(gold, probabilities, std::stoll(bins)), error.get<double>(), kBound) << bins;
    if (!c.contains("auc")) continue;
    EXPECT_NEAR(roc_auc_one_vs_rest(gold, probabilities), c["auc"].get<double>(), kBound);
  }
}

TEST(ScikitLearn, RanksWithTies) {
  for (const Json& c : vectors()["ranks"])
    EXPECT_NEAR(roc_auc(c["gold"].get<Classes>(), c["scores"].get<Numbers>()), c["auc"].get<double>(), kBound);
}

TEST(ScikitLearn, LinesOfLabels) {
  for (const Json& c : vectors()["texts"]) {
    const auto gold = c["gold"].get<Lines>(), predicted = c["predicted"].get<Lines>();
    for (const std::string name : {"macro_f1", "micro_f1", "mcc", "accuracy"}) {
      MetricOptions options;
      for (const Lines* lines : {&gold, &predicted}) learn_lines(name, *lines, options);
      EXPECT_NEAR(corpus_score(*make_metric(name, options), predicted, References{gold}).value, c[name].get<double>(),
                  kBound)
          << name;
    }
  }
}

}  // namespace
}  // namespace lookback::metrics
