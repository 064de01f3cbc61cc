// Against what seqeval itself said: tests/golden/metrics/spans.json, recorded by tools/gen_span_metrics.py.
#include "lookback/metrics/tags.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"
#include "lookback/metrics/registry.h"

namespace lookback::metrics {
namespace {

using Json = nlohmann::json;

constexpr double kBound = 1e-9;

double score(const char* name, const Lines& hypotheses, const Lines& references) {
  MetricOptions options;
  learn_lines(name, hypotheses, options), learn_lines(name, references, options);
  return corpus_score(*make_metric(name, options), hypotheses, References{references}).value;
}

TEST(Seqeval, Spans) {
  std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/metrics/spans.json");
  const Json all = Json::parse(in);
  ASSERT_GT(all["cases"].size(), 4u);
  for (const Json& c : all["cases"]) {
    SCOPED_TRACE(c["name"]);
    const Lines gold = c["gold"], predicted = c["predicted"];
    for (size_t k = 0; k < gold.size(); ++k) {
      std::vector<TaggedSpan> want;
      for (const Json& s : c["spans"][k]) want.push_back({s[0], s[1], s[2]});
      EXPECT_EQ(spans_of(tags_of_line(gold[k])), want) << gold[k];
    }
    EXPECT_NEAR(score("span_precision", predicted, gold), 100 * c["precision"].get<double>(), kBound);
    EXPECT_NEAR(score("span_recall", predicted, gold), 100 * c["recall"].get<double>(), kBound);
    EXPECT_NEAR(score("span_f1", predicted, gold), 100 * c["f1"].get<double>(), kBound);
    EXPECT_NEAR(score("tag_accuracy", predicted, gold), 100 * c["accuracy"].get<double>(), kBound);
    EXPECT_NEAR(score("tag_macro_f1", predicted, gold), 100 * c["macro_f1"].get<double>(), kBound);
    const auto by_type = spans_by_type(predicted, gold);
    ASSERT_EQ(by_type.size(), c["by_type"].size());
    for (const SpanCounts& s : by_type) {
      SCOPED_TRACE(s.type);
      const Json& want = c["by_type"].at(s.type);
      EXPECT_NEAR(s.counts.precision(), want["precision"].get<double>(), kBound);
      EXPECT_NEAR(s.counts.recall(), want["recall"].get<double>(), kBound);
      EXPECT_NEAR(s.counts.f1(), want["f1-score"].get<double>(), kBound);
      EXPECT_EQ(s.counts.gold, want["support"].get<double>());
    }
  }
}

TEST(Tags, WhatIsMissingIsWrong) {
  EXPECT_NEAR(score("tag_accuracy", {"a"}, {"a b"}), 50, kBound);
  EXPECT_NEAR(score("tag_accuracy", {"a b c"}, {"a b"}), 100, kBound);
  EXPECT_NEAR(score("tag_macro_f1", {"a", "c"}, {"a b", "c"}), 100 * 2.0 / 3, kBound);
  EXPECT_NEAR(score("span_recall", {"B-X"}, {"B-X B-X"}), 50, kBound);
  EXPECT_NEAR(score("tag_accuracy", {"", "a"}, {"", "a"}), 100, kBound);
  EXPECT_THROW(score("span_f1", {"\xFF"}, {"a"}), FormatError);
}

TEST(Tags, CaseAndMarks) {
  const Lines gold = {"Capital lower Capital, UPPER.", "lower? miXed!"};
  const Lines predicted = {"lower Capital UPPER, UPPER,", "lower? lower"};
  // Gold capitals: three and not the first; predicted three, of which two are right.
  EXPECT_NEAR(score("capital_f1", predicted, gold), 100 * 2 * 2 / (3.0 + 3.0), kBound);
  // . 0 of 1; , 1 of 1 and one too many; ? right; ! 0 of 1
  EXPECT_NEAR(score("mark_f1", predicted, gold), 100 * (0 + 2 / 3.0 + 1 + 0) / 4, kBound);
  EXPECT_NEAR(score("mark_f1", {"lower."}, {"lower."}), 100, kBound);
}

}  // namespace
}  // namespace lookback::metrics
