// Against what rouge_score and NLTK themselves said: tests/golden/metrics/rouge.json, recorded by
// tools/gen_rouge_vectors.py.
#include "lookback/metrics/rouge.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"
#include "lookback/metrics/porter_stemmer.h"
#include "lookback/metrics/registry.h"
#include "lookback/metrics/significance.h"

namespace lookback::metrics {
namespace {

using Json = nlohmann::json;

constexpr double kBound = 1e-9;

const Json& vectors() {
  static const Json json = [] {
    std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/metrics/rouge.json");
    return Json::parse(in);
  }();
  return json;
}

// Under the names that rouge_score has for them.
std::map<std::string, std::unique_ptr<CorpusMetric>> all_rouges(const RougeOptions& options) {
  std::map<std::string, std::unique_ptr<CorpusMetric>> out;
  for (const int64_t n : {1, 2, 9}) out["rouge" + std::to_string(n)] = make_rouge_n(n, options);
  out["rougeL"] = make_rouge_l(options);
  out["rougeLsum"] = make_rouge_lsum(options);
  return out;
}

std::string with_separator(const std::string& text, const std::string& separator) {
  std::string out;
  for (const char c : text) out += c == '\n' ? separator : std::string(1, c);
  return out;
}

void expect_recorded(const RougeOptions& options, const char* recorded, const std::string& separator) {
  ASSERT_GT(vectors()["segments"].size(), 100u);
  for (const auto& [name, metric] : all_rouges(options)) {
    EXPECT_EQ(metric->name(), name);
    Lines hypotheses;
    SegmentReferences references;
    double sum = 0;
    for (const Json& c : vectors()["segments"]) {
      hypotheses.push_back(with_separator(c["hyp"], separator));
      Lines& lines = references.lines.emplace_back();
      for (const Json& r : c["refs"]) lines.push_back(with_separator(r, separator));
      const Stats got = metric->segment(hypotheses.back(), lines);
      const Json& want = c[recorded][name];
      EXPECT_NEAR(got[1], want[0].get<double>(), kBound) << name << " precision " << c;
      EXPECT_NEAR(got[2], want[1].get<double>(), kBound) << name << " recall " << c;
      EXPECT_NEAR(got[0], want[2].get<double>(), kBound) << name << " F1 " << c;
      sum += want[2].get<double>();
    }
    EXPECT_NEAR(corpus_score(*metric, hypotheses, references).value, 100 * sum / static_cast<double>(hypotheses.size()),
                kBound)
        << name;
  }
}

TEST(Rouge, EqualsRougeScore) { expect_recorded({}, "plain", "\n"); }
TEST(Rouge, EqualsRougeScoreWithStems) { expect_recorded({.stem = true}, "stem", "\n"); }
TEST(Rouge, ASeparatorIsALineBreak) {
  expect_recorded({}, "plain", "\\n");
  expect_recorded({.stem = true, .separator = "<q>"}, "stem", "<q>");
  expect_recorded({.separator = ""}, "plain", "\n");
}

TEST(Rouge, StemsAreThoseOfNltk) {
  ASSERT_GT(vectors()["stems"].size(), 2000u);
  for (const Json& row : vectors()["stems"])
    EXPECT_EQ(porter_stem(row[0].get<std::string>()), row[1].get<std::string>()) << row[0];
}

TEST(Rouge, StemsOfLongRunsOfYTakeNoStack) {
  EXPECT_EQ(porter_stem(""), "");
  EXPECT_GT(porter_stem(std::string(200000, 'y') + "ing").size(), 190000u);
}

TEST(Rouge, ByHand) {
  const auto score = [](const char* name, const char* hypothesis, const char* reference) {
    return sentence_score(*make_metric(name), hypothesis, {reference}).value;
  };
  // Of 3 words 2 are right, of 4 half.
  EXPECT_NEAR(score("rouge1", "The cat sat", "the cat lay down"), 400.0 / 7, kBound);
  EXPECT_NEAR(score("rouge2", "The cat sat", "the cat lay down"), 40, kBound);
  EXPECT_NEAR(score("rougel", "sat the cat", "the cat sat"), 200.0 / 3, kBound);
  // The example of Lin 2004, section 3.2: 4 of 5 words of the reference are in the union.
  EXPECT_NEAR(score("rougelsum", R"(w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5)", "w1 w2 w3 w4 w5"), 800.0 / 15, kBound);
}

TEST(Rouge, GoesByNameAndHasIntervals) {
  MetricOptions options;
  options.rouge.stem = true;
  const Lines hypotheses{"runs", "the dog", "x", "a b"};
  const SegmentReferences references{{{"running"}, {"a dog", "the dog"}, {"y"}, {"b"}}};
  for (const char* name : {"rouge1", "rougel", "rougelsum"}) {
    const auto metric = make_metric(name, options);
    const Score s = corpus_score_with_interval(*metric, hypotheses, references, {.samples = 200});
    EXPECT_NEAR(s.value, 200.0 / 3, kBound) << name;
    EXPECT_EQ(s.details, "(P = 62.50 R = 75.00)") << name;
    EXPECT_GT(s.ci, 0);
    EXPECT_TRUE(s.signature.starts_with(R"(nrefs:var|bs:200|seed:12345|stem:yes|sep:\n|)")) << s.signature;
  }
}

TEST(Rouge, BadInput) {
  EXPECT_THROW(make_rouge_n(0), ConfigError);
  EXPECT_THROW(make_rouge_n(10), ConfigError);
  EXPECT_THROW(make_rouge_l({.separator = "\xFF"}), ConfigError);
  EXPECT_THROW(corpus_score(*make_rouge_l(), Lines{"\xFF"}, References{{"a"}}), FormatError);
}

}  // namespace
}  // namespace lookback::metrics
