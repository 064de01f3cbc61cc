#include "lookback/metrics/transduction.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/metrics/registry.h"
#include "lookback/metrics/significance.h"

namespace lookback::metrics {
namespace {

const SymbolOptions kWords{.unit = "word"};

TEST(WordErrorRate, CountsSegmentsThatEqualNoReference) {
  const SegmentReferences references{{{"A B", "A C"}, {"D"}, {"E"}, {"F", "G", "H"}}};
  const Score s = corpus_score(*make_word_error_rate(kWords), {"A  C ", "D", "e", "I"}, references);
  EXPECT_DOUBLE_EQ(s.value, 50);
  EXPECT_EQ(s.text, "word_error_rate = 50.00 (2 of 4)");
  EXPECT_TRUE(s.signature.starts_with("nrefs:var|unit:word|version:")) << s.signature;
}

TEST(WordErrorRate, CharactersCompareTheTextWithoutItsEnds) {
  const auto rate = [](const char* hypothesis, const char* reference) {
    return sentence_score(*make_word_error_rate(), hypothesis, {reference}).value;
  };
  EXPECT_EQ(rate(" a b ", "a b"), 0);
  EXPECT_EQ(rate("a  b", "a b"), 100);
  EXPECT_EQ(rate("", ""), 0);
  EXPECT_EQ(rate("", "a"), 100);
  EXPECT_EQ(rate("é", "e"), 100);
}

TEST(SymbolErrorRate, IsOfTheReferenceWithTheFewestEdits) {
  const auto score = [](const SymbolOptions& options, const char* hypothesis, const Lines& references) {
    return sentence_score(*make_symbol_error_rate(options), hypothesis, references).value;
  };
  EXPECT_DOUBLE_EQ(score(kWords, "AA B C", {"X Y Z W", "AA B D C", "AA B"}), 25) << "of equals the longest";
  EXPECT_DOUBLE_EQ(score(kWords, "AA B C", {"AA B", "AA B D C", "X"}), 25) << "in any order";
  EXPECT_DOUBLE_EQ(score({}, "straße", {"strasse"}), 200.0 / 7);
  EXPECT_DOUBLE_EQ(score({}, "", {"ab"}), 100);
  EXPECT_DOUBLE_EQ(score({}, "abcd", {"a"}), 300);
}

TEST(SymbolErrorRate, SumsBeforeItDivides) {
  const Score s =
      corpus_score(*make_symbol_error_rate(), Lines{"ab", "xyz"}, SegmentReferences{{{"abcdefgh"}, {"xy"}}});
  EXPECT_DOUBLE_EQ(s.value, 70);
  EXPECT_EQ(s.text, "symbol_error_rate = 70.00 (sub = 0 del = 6 ins = 1 ref_len = 10)");
  EXPECT_FALSE(make_symbol_error_rate()->higher_is_better());
}

TEST(SymbolErrorRate, GoesByNameAndHasIntervals) {
  MetricOptions options;
  options.symbol.unit = "word";
  const Lines hypotheses{"a", "b", "c", "d"};
  const SegmentReferences references{{{"a"}, {"b", "x"}, {"x"}, {"d e"}}};
  for (const char* name : {"word_error_rate", "symbol_error_rate"}) {
    const auto metric = make_metric(name, options);
    const Score s = corpus_score_with_interval(*metric, hypotheses, references, {.samples = 200});
    EXPECT_EQ(s.value, corpus_score(*metric, hypotheses, references).value);
    EXPECT_GT(s.ci, 0);
    EXPECT_NE(s.signature.find("nrefs:var|bs:200"), std::string::npos) << s.signature;
  }
  EXPECT_THROW(make_word_error_rate({.unit = "byte"}), ConfigError);
  EXPECT_THROW(corpus_score(*make_metric("word_error_rate"), Lines{"\xFF"}, References{{"a"}}), FormatError);
}

}  // namespace
}  // namespace lookback::metrics
