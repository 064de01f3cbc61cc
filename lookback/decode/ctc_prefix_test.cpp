#include "lookback/decode/ctc_prefix.h"

#include "lookback/base/parallel.h"
#include "lookback/decode/ctc_testing.h"
#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

constexpr int64_t kV = 6;  // 0 blank, 1 bos, 2 eos, and tokens 3, 4, 5
constexpr double kImpossible = -std::numeric_limits<double>::infinity();

Tensor frames_of(int64_t T, uint64_t seed) { return random_frames(T, kV, seed, {1, 2}); }

double of_prefix(const Texts& texts, const std::vector<int32_t>& prefix) {
  double sum = 0;
  for (const auto& [text, p] : texts)
    if (text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin())) sum += p;
  return sum;
}

double of_text(const Texts& texts, const std::vector<int32_t>& text) {
  const auto at = texts.find(text);
  return at == texts.end() ? 0 : at->second;
}

// Every prefix of two sentences at once, as rows that split and vanish.
TEST(CtcPrefix, IncrementsAreThoseOfAllPaths) {
  const std::vector<Tensor> frames = {frames_of(5, 1), frames_of(3, 2)};
  const std::vector<Texts> texts = {all_texts(frames[0], 0), all_texts(frames[1], 0)};
  struct Prefix {
    size_t sentence;
    std::vector<int32_t> tokens;
  };
  CtcPrefixDecoder decoder(frames, {});
  EXPECT_EQ(decoder.vocabulary(), kV);
  std::vector<Prefix> rows = {{0, {}}, {1, {}}};
  std::vector<int32_t> fed = {1, 1};
  int scored = 0, impossible = 0;
  for (int depth = 0; depth <= 5; ++depth) {
    const StepOutput out = decoder.step(fed);
    EXPECT_TRUE(out.log_probs);
    std::vector<Prefix> next;
    std::vector<int32_t> from;
    fed.clear();
    for (size_t n = 0; n < rows.size(); ++n) {
      const float* const row = out.logits.data<float>() + static_cast<int64_t>(n) * kV;
      const Texts& all = texts[rows[n].sentence];
      const double before = std::log(of_prefix(all, rows[n].tokens));
      EXPECT_EQ(row[0], kImpossible);
      EXPECT_EQ(row[1], kImpossible);
      const double ends = of_text(all, rows[n].tokens);
      const auto expect = [&](int32_t c, double p) {
        const double got = static_cast<double>(row[c]);
        ++scored;
        impossible += p == 0;
        if (p > 0) {
          EXPECT_NEAR(got, std::log(p) - before, 2e-6 * std::max(1.0, -got)) << c;
        } else {
          EXPECT_EQ(got, kImpossible) << c;
        }
        EXPECT_LE(got, 0);
      };
      expect(2, ends);
      for (int32_t c = 3; c < kV; ++c) {
        auto longer = rows[n].tokens;
        longer.push_back(c);
        expect(c, of_prefix(all, longer));
        if (of_prefix(all, longer) == 0) continue;
        next.push_back({rows[n].sentence, longer});
        from.push_back(static_cast<int32_t>(n)), fed.push_back(c);
      }
    }
    decoder.reorder(from);
    rows = std::move(next);
  }
  EXPECT_TRUE(rows.empty());
  EXPECT_GT(scored, 600);
  EXPECT_GT(impossible, 200);
}

TEST(CtcPrefix, AFinishedTextHasItsOwnProbability) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Tensor frames = frames_of(6, seed);
    for (const auto& [text, p] : all_texts(frames, 0)) {
      CtcPrefixDecoder decoder({frames}, {});
      const auto scored = force_score(decoder, {{}}, {text}, SearchOptions());
      EXPECT_NEAR(scored[0].log_prob, std::log(p), 5e-6 * std::max(1.0, -std::log(p)));
    }
    CtcPrefixDecoder decoder({frames}, {});
    EXPECT_EQ(force_score(decoder, {{}}, {{3, 3, 3, 3}}, SearchOptions())[0].log_prob, kImpossible);
  }
}

TEST(CtcPrefix, AWideBeamFindsTheLikeliestText) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Tensor frames = frames_of(5, seed);
    std::vector<std::pair<double, std::vector<int32_t>>> texts;
    for (const auto& [text, p] : all_texts(frames, 0)) texts.emplace_back(-p, text);
    std::sort(texts.begin(), texts.end());
    SearchOptions o = beam_of(400, 5);
    o.length_norm = "none", o.specials.pad = -1;
    for (const std::string stop : {"exact", "never"}) {
      o.stop = stop;
      CtcPrefixDecoder decoder({frames}, {});
      const auto found = search(decoder, {{}}, o)[0];
      ASSERT_EQ(found.size(), 5U);
      for (size_t k = 0; k < found.size(); ++k) {
        EXPECT_EQ(found[k].tokens, texts[k].second);
        EXPECT_NEAR(found[k].score, std::log(-texts[k].first), 1e-5);
      }
    }
  }
}

// Probabilities of 10^-870 and less. Blanks are sure, so a text is one path for each choice of its frames.
TEST(CtcPrefix, WhatDoubleDoesNotHold) {
  const int64_t T = 50;
  const Tensor frames = Tensor::full({T, kV}, -2000);
  for (int64_t t = 0; t < T; ++t) frames.data<float>()[t * kV] = 0;
  const auto log_prob = [&](const std::vector<int32_t>& text) {
    CtcPrefixDecoder decoder({frames}, {});
    return force_score(decoder, {{}}, {text}, SearchOptions())[0].log_prob;
  };
  EXPECT_NEAR(log_prob({}), 0, 1e-6);
  EXPECT_NEAR(log_prob({3}), std::log(50.0) - 2000, 1e-3);
  EXPECT_NEAR(log_prob({3, 4}), std::log(50 * 49 / 2.0) - 4000, 1e-3);
  EXPECT_NEAR(log_prob({3, 3}), std::log(49 * 48 / 2.0) - 4000, 1e-3);
}

TEST(CtcPrefix, NoFramesAndNothingLeft) {
  CtcPrefixDecoder decoder({Tensor({0, kV})}, {});
  const StepOutput out = decoder.step(std::vector<int32_t>{1});
  EXPECT_EQ(out.logits.data<float>()[2], 0);
  EXPECT_EQ(out.logits.data<float>()[3], kImpossible);
  const StepOutput after = decoder.step(std::vector<int32_t>{3});
  EXPECT_EQ(after.logits.data<float>()[2], 0);
  EXPECT_EQ(after.logits.data<float>()[4], kImpossible);
}

TEST(CtcPrefix, TheBlankMayBeAnyClassButEos) {
  for (const int32_t blank : {1, 3, 5}) {
    std::vector<int32_t> never = {2};
    if (blank != 1) never.push_back(1);
    const Tensor frames = random_frames(4, kV, 7, never);
    for (const auto& [text, p] : all_texts(frames, blank)) {
      CtcPrefixDecoder decoder({frames}, {.blank = blank});
      EXPECT_NEAR(force_score(decoder, {{}}, {text}, SearchOptions())[0].log_prob, std::log(p), 1e-5);
    }
  }
}

TEST(CtcPrefix, SentencesAreWhatTheyAreAlone) {
  std::vector<Tensor> frames;
  std::vector<SourceInfo> sources;
  for (uint64_t b = 0; b < 7; ++b) {
    frames.push_back(frames_of(static_cast<int64_t>(5 * b % 17), b + 1));
    sources.push_back({.key = b});
  }
  SearchOptions beam = beam_of(4, 3), greedy = beam_of(1), sample = beam_of(1, 3);
  sample.sample = true;
  for (const SearchOptions& o : {beam, greedy, sample})
    for (const int threads : {1, 3}) {
      const ThreadScope scope(threads);
      CtcPrefixDecoder some(frames, {.together = 2}), all(frames, {});
      EXPECT_EQ(some.waiting(), 5);
      const auto a = search(some, sources, o), b = search(all, sources, o);
      for (size_t s = 0; s < frames.size(); ++s) {
        CtcPrefixDecoder one({frames[s]}, {});
        const auto alone = search(one, {sources[s]}, o)[0];
        ASSERT_EQ(a[s].size(), alone.size());
        for (size_t k = 0; k < alone.size(); ++k)
          expect_same_bits(a[s][k], alone[k]), expect_same_bits(b[s][k], alone[k]);
      }
    }
}

TEST(CtcPrefix, WhatDoesNotFitIsRefused) {
  EXPECT_THROW(CtcPrefixDecoder({frames_of(2, 1), random_frames(2, 5, 1)}, {}), ShapeError);
  EXPECT_THROW(CtcPrefixDecoder({frames_of(2, 1).to(Dtype::f64)}, {}), ShapeError);
  EXPECT_THROW(CtcPrefixDecoder({frames_of(2, 1)}, {.blank = 6}), ConfigError);
  EXPECT_THROW(CtcPrefixDecoder({frames_of(2, 1)}, {.blank = 2}), ConfigError);
  EXPECT_THROW(CtcPrefixDecoder({frames_of(2, 1)}, {.eos = -1}), ConfigError);
  EXPECT_THROW(CtcPrefixDecoder({frames_of(2, 1)}, {.bos = 6}), ConfigError);
  EXPECT_THROW(CtcPrefixDecoder({Tensor::full({2, kV}, 0.1)}, {}), NumericError);
  EXPECT_THROW(CtcPrefixDecoder({Tensor::full({2, kV}, NAN)}, {}), NumericError);
}

}  // namespace
}  // namespace lookback::decode
