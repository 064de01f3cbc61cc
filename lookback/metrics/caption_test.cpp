// Against what pycocoevalcap itself said: tests/golden/metrics/captions.json, recorded by tools/gen_caption_metrics.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"
#include "lookback/metrics/caption_scores.h"
#include "lookback/metrics/caption_words.h"
#include "lookback/metrics/cider.h"
#include "lookback/metrics/registry.h"
#include "lookback/metrics/significance.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

using Json = nlohmann::json;

constexpr double kBound = 1e-9;

const Json& sets() {
  static const Json json = [] {
    std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/metrics/captions.json");
    return Json::parse(in)["sets"];
  }();
  return json;
}

struct Captions {
  Lines hypotheses;
  SegmentReferences references;
};
Captions captions_of(const Json& set) {
  Captions out;
  for (const Json& s : set["segments"]) {
    out.hypotheses.push_back(s["hyp"]);
    out.references.lines.push_back(s["refs"].get<Lines>());
  }
  return out;
}

MetricOptions tokenized() {
  MetricOptions out;
  out.caption.tokenize = "none";
  return out;
}

TEST(CaptionMetrics, BleuEqualsPycocoevalcap) {
  ASSERT_GE(sets().size(), 9u);
  for (const Json& set : sets()) {
    const Captions c = captions_of(set);
    for (size_t n = 1; n <= 4; ++n) {
      const auto metric = make_metric("bleu" + std::to_string(n), tokenized());
      EXPECT_NEAR(corpus_score(*metric, c.hypotheses, c.references).value, 100 * set["bleu"][n - 1].get<double>(),
                  kBound)
          << set["name"] << " " << metric->name();
    }
  }
}

TEST(CaptionMetrics, RougeEqualsPycocoevalcap) {
  const auto metric = make_metric("rouge_l", tokenized());
  for (const Json& set : sets()) {
    const Captions c = captions_of(set);
    const std::vector<Stats> stats = segment_stats(*metric, c.hypotheses, c.references);
    for (size_t i = 0; i < stats.size(); ++i)
      EXPECT_NEAR(stats[i][0], set["segments"][i]["rouge"].get<double>(), kBound) << set["segments"][i];
    EXPECT_NEAR(metric->score(sum_stats(stats)), 100 * set["rouge"].get<double>(), kBound) << set["name"];
  }
}

TEST(CaptionMetrics, CiderEqualsPycocoevalcap) {
  const auto metric = make_metric("cider_d", tokenized());
  double best = 0;
  for (const Json& set : sets()) {
    const Captions c = captions_of(set);
    const std::vector<Stats> stats = segment_stats(*metric, c.hypotheses, c.references);
    for (size_t i = 0; i < stats.size(); ++i)
      EXPECT_NEAR(stats[i][0], set["segments"][i]["cider"].get<double>(), kBound) << set["segments"][i];
    EXPECT_NEAR(metric->score(sum_stats(stats)), set["cider"].get<double>(), kBound) << set["name"];
    best = std::max(best, set["cider"].get<double>());
  }
  EXPECT_GT(best, 1);
}

// Every way to a score counts n-grams over the whole.
TEST(CaptionMetrics, CiderCountsOverWhatIsScoredTogether) {
  const Captions c = captions_of(sets()[0]);
  const auto metric = make_metric("cider_d", tokenized());
  const double whole = sets()[0]["cider"];
  const Score s = corpus_score_with_interval(*metric, c.hypotheses, c.references, {.samples = 200});
  EXPECT_NEAR(s.value, whole, kBound);
  EXPECT_GT(s.ci, 0);
  EXPECT_LT(s.ci, whole);
  EXPECT_NEAR(s.mean, whole, 0.2 * whole);
  EXPECT_EQ(s.name, "cider_d");
  EXPECT_EQ(metric->segment("a dog runs", Lines{"a dog runs"})[0], 0);  // alone, every n-gram is everywhere
}

std::string words(std::string_view line) {
  std::string out;
  for (const std::u32string& w : caption_words(line, {})) out += (out.empty() ? "" : " ") + encode_utf8(w);
  return out;
}

TEST(CaptionMetrics, WordsOfCaptions) {
  EXPECT_EQ(words("A dog , running in the Grass ."), "a dog running in the grass");
  EXPECT_EQ(words("A man's dog isn't here; it'll \"jump\"!"), "a man 's dog is n't here it 'll jump");
  EXPECT_EQ(words("the dogs' ball -- and a t-shirt - yes..."), "the dogs ball and a t-shirt yes");
  EXPECT_EQ(words("one (two) [three] {four} 'five' `six`"), "one two three four five six");
  EXPECT_EQ(words("3.5 m, 1,000 people at 10:30: number 9."), "3.5 m 1,000 people at 10:30 number 9");
  EXPECT_EQ(words("Mr. Smith of the U.S. ate.Then"), "mr. smith of the u.s. ate then");
  EXPECT_EQ(words("black & white, 5% of $10 #3"), "black & white 5 % of $ 10 # 3");
  EXPECT_EQ(words("I cannot. We’re gonna — well – go"), "i can not we 're gon na well go");
  EXPECT_EQ(words("Été à İzmir … 東京"), encode_utf8(lower(decode_utf8("Été à İzmir 東京"))));
  EXPECT_EQ(words("dog 's tail"), "dog 's tail");
  EXPECT_EQ(words(" .,:;?! -- ' \" "), "");
  EXPECT_EQ(words(""), "");
}

TEST(CaptionMetrics, PunctuationAndCaseDoNotCount) {
  const Lines plain{"a dog runs in the grass", "two men sit on a boat", "a cat"};
  const Lines written{"A dog runs, in the grass.", "Two men sit on a boat !", "\"A\" cat"};
  for (const char* name : {"bleu1", "bleu2", "rouge_l"}) {
    EXPECT_NEAR(corpus_score(*make_metric(name), written, References{plain}).value, 100, 1e-6) << name;
    EXPECT_LT(corpus_score(*make_metric(name, tokenized()), written, References{plain}).value, 90) << name;
  }
  const double same = corpus_score(*make_metric("cider_d"), plain, References{plain}).value;
  EXPECT_EQ(corpus_score(*make_metric("cider_d"), written, References{plain}).value, same);
  EXPECT_GT(same, 5);
}

TEST(CaptionMetrics, Signatures) {
  const auto signature = [](const char* name) {
    return signature_of(*make_metric(name), SegmentReferences{{{"a", "b"}}});
  };
  EXPECT_EQ(signature("bleu4"), "nrefs:2|tok:ptb|version:" + std::string(kVersion));
  EXPECT_EQ(signature("rouge_l"), "nrefs:2|beta:1.2|tok:ptb|version:" + std::string(kVersion));
  EXPECT_EQ(signature("cider_d"), "nrefs:2|n:4|sigma:6|df:scored|tok:ptb|version:" + std::string(kVersion));
}

TEST(CaptionMetrics, BadInput) {
  EXPECT_THROW(make_caption_bleu(0), ConfigError);
  EXPECT_THROW(make_caption_bleu(5), ConfigError);
  EXPECT_THROW(make_cider_d({.tokenize = "java"}), ConfigError);
  EXPECT_THROW(make_caption_rouge_l({.tokenize = ""}), ConfigError);
  for (const char* name : {"bleu1", "rouge_l", "cider_d"}) {
    EXPECT_THROW(corpus_score(*make_metric(name), Lines{"\xFF"}, References{{"a"}}), FormatError) << name;
    EXPECT_THROW(corpus_score(*make_metric(name), Lines{"a", "b"}, References{{"a"}}), FormatError) << name;
  }
}

}  // namespace
}  // namespace lookback::metrics
