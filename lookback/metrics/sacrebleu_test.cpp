// Against what sacreBLEU itself said: tests/golden/metrics/sacrebleu.json, recorded by tools/gen_metric_vectors.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/metrics/numpy_random.h"
#include "lookback/metrics/registry.h"
#include "lookback/metrics/significance.h"
#include "lookback/metrics/tokenize.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

using Json = nlohmann::json;

const Json& vectors() {
  static const Json json = [] {
    std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/metrics/sacrebleu.json");
    return Json::parse(in);
  }();
  return json;
}

// The recorded options, set through the fields that a command line uses.
std::unique_ptr<CorpusMetric> metric_of(const Json& test_case) {
  MetricOptions options;
  std::vector<Field> fields = fields_of(options);
  const std::string metric = test_case["metric"];
  if (test_case.contains("options"))
    for (const auto& [key, value] : test_case["options"].items()) {
      FieldValue v = value.is_string() ? FieldValue(value.get<std::string>()) : FieldValue(value.dump());
      if (value.is_boolean()) v = value.get<bool>();
      if (value.is_number_integer()) v = value.get<int64_t>();
      if (value.is_number_float()) v = value.get<double>();
      set_field(find_field(fields, metric + "." + key, "vectors"), v, "vectors");
    }
  return make_metric(metric, options);
}

// sacreBLEU's signature with our version in place of its own.
std::string our_signature(const std::string& theirs) {
  return theirs.substr(0, theirs.rfind(':') + 1) + std::string(kVersion);
}

void expect_score(const Score& got, const Json& want, const std::string& where) {
  EXPECT_NEAR(got.value, want["score"].get<double>(), 1e-9) << where << want;
  EXPECT_EQ(got.text, want["text"].get<std::string>()) << where << want;
  EXPECT_EQ(got.signature, our_signature(want["signature"])) << where << want;
}

TEST(SacreBleu, CorpusScores) {
  const Json& corpora = vectors()["corpora"];
  ASSERT_GT(vectors()["corpus_cases"].size(), 500u);
  for (const Json& c : vectors()["corpus_cases"]) {
    const Json& data = corpora[c["corpus"].get<std::string>()];
    expect_score(corpus_score(*metric_of(c), data["hyp"].get<Lines>(), data["refs"].get<References>()), c, "corpus ");
  }
}

TEST(SacreBleu, SentenceScores) {
  const Json& corpora = vectors()["corpora"];
  ASSERT_GT(vectors()["sentence_cases"].size(), 300u);
  for (const Json& c : vectors()["sentence_cases"]) {
    const Json& data = corpora[c["corpus"].get<std::string>()];
    const size_t line = c["line"];
    Lines references;
    for (const Json& r : data["refs"]) references.push_back(r[line]);
    expect_score(sentence_score(*metric_of(c), data["hyp"][line], references), c, "sentence ");
  }
}

TEST(SacreBleu, TerShifts) {
  ASSERT_GT(vectors()["shift_cases"].size(), 30u);
  for (const Json& c : vectors()["shift_cases"])
    expect_score(sentence_score(*metric_of(c), c["hyp"], c["refs"].get<Lines>()), c, "shifts ");
}

TEST(SacreBleu, UnequalNumbersOfReferences) {
  const Json& v = vectors()["variable_references"];
  const auto hypotheses = v["hyp"].get<Lines>();
  SegmentReferences references;
  references.lines.resize(hypotheses.size());
  for (const Json& r : v["refs"])
    for (size_t i = 0; i < r.size(); ++i)
      if (!r[i].is_null()) references.lines[i].push_back(r[i]);
  for (const Json& c : v["cases"]) expect_score(corpus_score(*metric_of(c), hypotheses, references), c, "variable ");
}

TEST(SacreBleu, Tokenizers) {
  for (const Json& row : vectors()["tokenizers"]) {
    const std::string line = row["in"];
    for (const std::string& name : tokenizer_names())
      EXPECT_EQ(tokenize_text(line, name), row[name].get<std::string>()) << name << " " << row["in"];
    EXPECT_EQ(encode_utf8(lower(decode_utf8(line))), row["lower"].get<std::string>()) << row["in"];
    for (int k = 0; k < 16; ++k) {
      const TercomSteps steps{(k & 8) != 0, (k & 4) != 0, (k & 2) != 0, (k & 1) != 0};
      std::u32string joined;
      for (const auto& word : tokenize_tercom(decode_utf8(line), steps)) joined += (joined.empty() ? U"" : U" ") + word;
      EXPECT_EQ(encode_utf8(joined), row["tercom"][k].get<std::string>()) << k << " " << row["in"];
    }
  }
}

TEST(SacreBleu, RandomNumbersOfNumpy) {
  for (const Json& row : vectors()["random"]) {
    const uint64_t seed = row["seed"];
    for (const uint64_t n : {1ull, 2ull, 3ull, 40ull, 1000ull, 3'000'000'000ull}) {
      NumpyRandom random(seed);
      for (const Json& want : row[std::to_string(n)])
        EXPECT_EQ(random.below(n), want.get<uint64_t>()) << seed << " " << n;
    }
    NumpyRandom random(seed);
    NumpyRandom::Bits bits(random);
    for (const Json& want : row["bits"]) EXPECT_EQ(bits.next(), want.get<int>() != 0) << seed;
  }
}

// sacreBLEU adds resamples up in single precision, hence 1e-4.
TEST(SacreBleu, ConfidenceIntervals) {
  const Json& v = vectors()["significance"];
  for (const Json& c : v["intervals"]) {
    const Score got =
        corpus_score_with_interval(*metric_of(c), v["systems"][0][1].get<Lines>(), v["refs"].get<References>());
    expect_score(got, c, "interval ");
    EXPECT_NEAR(got.mean, c["mean"].get<double>(), 1e-4) << c;
    EXPECT_NEAR(got.ci, c["ci"].get<double>(), 1e-4) << c;
  }
}

TEST(SacreBleu, PairedTests) {
  const Json& v = vectors()["significance"];
  std::vector<System> systems;
  for (const Json& s : v["systems"]) systems.push_back({s[0], s[1].get<Lines>()});
  for (const Json& c : v["paired"]) {
    const PairedOptions options{.test = c["test"], .samples = c["samples"]};
    const PairedReport got = paired_test(*metric_of(c), systems, v["refs"].get<References>(), options);
    EXPECT_EQ(got.signature, our_signature(c["signature"]));
    ASSERT_EQ(got.results.size(), c["rows"].size());
    for (size_t k = 0; k < systems.size(); ++k) {
      const Json& want = c["rows"][k];
      const PairedResult& row = got.results[k];
      EXPECT_NEAR(row.score, want["score"].get<double>(), 1e-9);
      ASSERT_EQ(row.p_value.has_value(), !want["p"].is_null());
      if (row.p_value) {
        EXPECT_NEAR(*row.p_value, want["p"].get<double>(), 1e-9) << c << k;
      }
      ASSERT_EQ(row.interval.has_value(), !want["mean"].is_null());
      if (row.interval) {
        EXPECT_NEAR(row.interval->mean, want["mean"].get<double>(), 1e-4) << c << k;
        EXPECT_NEAR(row.interval->ci, want["ci"].get<double>(), 1e-4) << c << k;
      }
    }
  }
}

}  // namespace
}  // namespace lookback::metrics
