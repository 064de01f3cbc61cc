// Against the formulas of SQuAD's scripts: tests/golden/metrics/answers.json, recorded by tools/gen_answer_metrics.py.
#include "lookback/metrics/answer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"
#include "lookback/metrics/registry.h"
#include "lookback/metrics/significance.h"

namespace lookback::metrics {
namespace {

using Json = nlohmann::json;

constexpr double kBound = 1e-9;

Json answers() {
  std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/metrics/answers.json");
  return Json::parse(in)["answers"];
}

TEST(Answer, EqualsTheScriptsOfSquad) {
  const Json rows = answers();
  ASSERT_GT(rows.size(), 200u);
  const auto exact = make_metric("exact_match"), f1 = make_metric("f1");
  Lines hypotheses;
  SegmentReferences references;
  double exact_sum = 0, f1_sum = 0;
  int nothing_left = 0;
  for (const Json& row : rows) {
    hypotheses.push_back(row["hyp"]);
    const Lines& lines = references.lines.emplace_back(row["refs"].get<Lines>());
    EXPECT_EQ(normalized_answer(hypotheses.back()), row["normalized"].get<std::string>()) << row;
    const double e = exact->segment(hypotheses.back(), lines)[0], f = f1->segment(hypotheses.back(), lines)[0];
    EXPECT_NEAR(e, row["v2"]["exact"].get<double>(), kBound) << row;
    EXPECT_NEAR(f, row["v2"]["f1"].get<double>(), kBound) << row;
    exact_sum += e, f1_sum += f;
    if (row["normalized"] == "") {
      ++nothing_left;
      continue;
    }
    EXPECT_NEAR(e, row["v1"]["exact"].get<double>(), kBound) << row;
    EXPECT_NEAR(f, row["v1"]["f1"].get<double>(), kBound) << row;
  }
  EXPECT_GT(nothing_left, 5);
  const auto n = static_cast<double>(rows.size());
  EXPECT_NEAR(corpus_score(*exact, hypotheses, references).value, 100 * exact_sum / n, kBound);
  EXPECT_NEAR(corpus_score(*f1, hypotheses, references).value, 100 * f1_sum / n, kBound);
}

TEST(Answer, ByHand) {
  const auto score = [](const char* name, const char* hypothesis, const Lines& references) {
    return sentence_score(*make_metric(name), hypothesis, references).value;
  };
  EXPECT_EQ(score("exact_match", "The Denver Broncos!", {"Carolina", "denver broncos"}), 100);
  EXPECT_NEAR(score("f1", "Denver Broncos team", {"the Broncos", "Denver Broncos"}), 80, kBound);
  for (const char* name : {"exact_match", "f1"}) {
    EXPECT_EQ(score(name, "", {""}), 100) << name << ": both say that there is no answer";
    EXPECT_EQ(score(name, "Denver", {""}), 0) << name;
    EXPECT_EQ(score(name, "", {"Denver"}), 0) << name;
    EXPECT_EQ(score(name, "", {"Denver", ""}), 0) << name << ": a line without a further reference is no answer";
  }
}

TEST(Answer, CountsAndHasIntervals) {
  const Lines hypotheses{"a x", "y", "z w", ""};
  const References references{{"x", "the y!", "z", "v"}};
  const auto s = corpus_score_with_interval(*make_exact_match(), hypotheses, by_segment(references), {.samples = 200});
  EXPECT_TRUE(s.text.starts_with("exact_match = 50.00 (μ")) << s.text;
  EXPECT_EQ(s.details, "(2 of 4)");
  EXPECT_GT(s.ci, 0);
  EXPECT_TRUE(s.signature.starts_with("nrefs:1|bs:200|seed:12345|norm:squad|")) << s.signature;
  EXPECT_EQ(corpus_score(*make_answer_f1(), hypotheses, references).text, "f1 = 66.67");
  EXPECT_THROW(corpus_score(*make_answer_f1(), Lines{"\xFF"}, References{{"a"}}), FormatError);
}

}  // namespace
}  // namespace lookback::metrics
