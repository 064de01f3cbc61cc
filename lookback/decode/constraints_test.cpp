// Length, repetition, prefix, coverage, special tokens.
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Search, NeverGeneratesBosOrPadNorUnkIfToldSo) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) {
    logits[0] = 3, logits[1] = 9, logits[3] = 9;
  };
  SearchOptions o = beam_of(3, 3);
  bool unk = false;
  for (const Hypothesis& h : search_one(model, {3, 2}, o))
    for (const int32_t token : h.tokens) {
      EXPECT_TRUE(token != 1 && token != 3);
      unk |= token == 0;
    }
  EXPECT_TRUE(unk);
  o.allow_unk = false;
  for (const Hypothesis& h : search_one(model, {3, 2}, o))
    EXPECT_EQ(std::count(h.tokens.begin(), h.tokens.end(), 0), 0);
}

TEST(Search, MinLengthHoldsBackTheEnd) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[2] = 12; };
  for (const int64_t beam : {1, 4}) {
    SearchOptions o = beam_of(beam);
    EXPECT_TRUE(search_one(model, {3, 2}, o)[0].tokens.empty());
    o.min_length = 4;
    const auto found = search_one(model, {3, 2}, o)[0];
    EXPECT_EQ(found.tokens.size(), 4u);
    EXPECT_TRUE(found.finished);
  }
}

TEST(Search, NoRepeatedNgrams) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) {
    logits[2] = -4, logits[4] = 6, logits[5] = 3;  // by itself: 4 4 4 4 ...
  };
  for (const int64_t n : {1, 2, 3})
    for (const int64_t beam : {1, 3}) {
      SearchOptions o = beam_of(beam);
      o.no_repeat_ngram = n, o.min_length = n == 1 ? 3 : 6;
      const auto tokens = search_one(model, {3, 20}, o)[0].tokens;
      ASSERT_GE(static_cast<int64_t>(tokens.size()), o.min_length);
      std::set<std::vector<int32_t>> seen;
      for (auto at = tokens.begin(); at + n <= tokens.end(); ++at)
        EXPECT_TRUE(seen.insert({at, at + n}).second) << "n = " << n;
    }
}

TEST(Search, WhereEverythingIsForbiddenTheEndIsAllowed) {
  SearchOptions o = beam_of(2, 2);
  o.no_repeat_ngram = 1, o.min_length = 10;  // only tokens 0, 4 and 5 exist
  for (const bool sample : {false, true}) {
    if (sample) o.sample = true, o.beam = 1;
    for (const Hypothesis& h : search_one({}, {3, 20}, o)) {
      EXPECT_EQ(h.tokens.size(), 3u);
      EXPECT_TRUE(h.finished);
      EXPECT_TRUE(std::isfinite(h.score));
    }
  }
}

TEST(Search, WhereNothingCanFollowTheOutputStaysUnfinished) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>& history, std::vector<float>& logits) {
    logits[2] = -kInfinity;
    if (history.size() > 2) std::fill(logits.begin(), logits.end(), -kInfinity), logits[3] = 0;  // only pad
  };
  SearchOptions o = beam_of(2, 2);
  for (const bool sample : {false, true}) {
    if (sample) o.sample = true, o.beam = 1;
    const auto found = search_one(model, {3, 20}, o);
    ASSERT_EQ(found.size(), 2u);
    for (const Hypothesis& h : found) {
      EXPECT_EQ(h.tokens.size(), 2u);
      EXPECT_FALSE(h.finished);
      EXPECT_EQ(h.alignment.shape(), (Shape{2, 20}));
      EXPECT_TRUE(std::isfinite(h.score));
    }
  }
}

TEST(Search, AtTheLimitUnfinishedOnlyIfNothingFinished) {
  FakeModel model;
  model.V = 30;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[2] = -30; };
  for (const int64_t beam : {1, 4}) {
    const auto found = search_one(model, {3, 20}, beam_of(beam, beam));
    ASSERT_EQ(static_cast<int64_t>(found.size()), beam);
    for (const Hypothesis& h : found) {
      EXPECT_FALSE(h.finished);
      EXPECT_EQ(h.tokens.size(), 12u);
      EXPECT_EQ(h.token_log_probs.size(), 12u);
      EXPECT_EQ(h.alignment.dim(0), 12);
      EXPECT_NEAR(h.score, h.log_prob / 12, 1e-12);
    }
  }
  // One of them, 4 4 4 ..., may end at its very last chance: it comes alone.
  model.edit = [](uint64_t, const std::vector<int32_t>& history, std::vector<float>& logits) {
    logits[4] = 9, logits[5] = 8;
    logits[2] = std::count(history.begin(), history.end(), 4) == 12 ? 12.0f : -30.0f;
  };
  const auto found = search_one(model, {3, 20}, beam_of(2, 2));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].finished);
  EXPECT_EQ(found[0].tokens.size(), 12u);
}

TEST(Search, LengthLimit) {
  SearchOptions o;
  o.max_length = 50, o.max_length_factor = 1.5, o.max_length_offset = 4;
  EXPECT_EQ(length_limit(o, {.source_length = 7}), 14);
  EXPECT_EQ(length_limit(o, {.source_length = 0}), 4);
  EXPECT_EQ(length_limit(o, {.source_length = 1000}), 50);
  EXPECT_EQ(length_limit(o, {.source_length = -1}), 50);
  EXPECT_EQ(length_limit(o, {.source_length = 0, .prefix = std::vector<int32_t>(60, 4)}), 60);
  o.min_length = 9;
  EXPECT_EQ(length_limit(o, {.source_length = 0}), 9);
  o.max_length_factor = 0;
  EXPECT_EQ(length_limit(o, {.source_length = 7}), 50);
}

TEST(Search, LimitOfZeroStillLetsTheModelEnd) {
  FakeModel model;
  SearchOptions o = beam_of(2);
  o.max_length = 0;
  auto found = search_one(model, {3, 2}, o);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].tokens.empty());
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[2] = -30; };
  found = search_one(model, {3, 2}, o);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found[0].finished);
  EXPECT_TRUE(found[0].tokens.empty());
}

TEST(Search, PrefixComesFirst) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[5] = -25; };
  for (const bool sample : {false, true})
    for (const int64_t beam : {1, 3}) {
      SearchOptions o = beam_of(sample ? 1 : beam, beam);
      o.sample = sample;
      o.no_repeat_ngram = 1;  // the prefix may break it, what follows may not
      for (const Hypothesis& h : search_one(model, {3, 9}, o, {5, 5, 4})) {
        ASSERT_GE(h.tokens.size(), 3u);
        EXPECT_EQ(std::vector<int32_t>(h.tokens.begin(), h.tokens.begin() + 3), (std::vector<int32_t>{5, 5, 4}));
        EXPECT_EQ(std::count(h.tokens.begin() + 3, h.tokens.end(), 4), 0);
        EXPECT_LT(h.token_log_probs[0], -20);
      }
    }
}

TEST(Search, PrefixLongerThanMaxLength) {
  FakeModel model;
  const std::vector<int32_t> prefix(7, 4);
  SearchOptions o = beam_of(3, 3);
  o.max_length = 2;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[2] = -30; };
  auto found = search_one(model, {3, 9}, o, prefix);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].tokens, prefix);
  EXPECT_FALSE(found[0].finished);
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[2] = 9; };
  found = search_one(model, {3, 9}, o, prefix);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].tokens, prefix);
  EXPECT_TRUE(found[0].finished);
}

TEST(Search, PrefixTheModelHoldsImpossible) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[5] = -kInfinity; };
  const auto found = search_one(model, {3, 9}, beam_of(3), {5});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].tokens[0], 5);
  EXPECT_EQ(found[0].score, -std::numeric_limits<double>::infinity());
}

TEST(Search, CoveragePenaltyPrefersOutputsThatLookEverywhere) {
  // Attention is on position 0 unless token 5 has been said; 4 is a little likelier than 5.
  struct Look final : StepDecoder {
    StepOutput step(std::span<const int32_t> tokens, int64_t) override {
      const int64_t N = static_cast<int64_t>(tokens.size());
      StepOutput out{Tensor::full({N, 6}, -9), Tensor::zeros({N, 2})};
      for (int64_t k = 0; k < N; ++k) {
        const int32_t token = tokens[static_cast<size_t>(k)];
        float* logits = out.logits.data<float>() + k * 6;
        if (token == 1)
          logits[4] = 1.0f, logits[5] = 0.5f;
        else
          logits[2] = 3;
        out.weights.data<float>()[k * 2 + (token == 5)] = 1;
      }
      return out;
    }
    void reorder(std::span<const int32_t>) override {}
    int64_t vocabulary() const override { return 6; }
  };
  SearchOptions o = beam_of(3);
  Look model;
  EXPECT_EQ(search(model, {{.source_length = 2}}, o)[0][0].tokens, (std::vector<int32_t>{4}));
  o.coverage_penalty = 0.1;
  const auto found = search(model, {{.source_length = 2}}, o)[0][0];
  EXPECT_EQ(found.tokens, (std::vector<int32_t>{5}));
  EXPECT_NEAR(found.score, found.log_prob / 2, 1e-12);  // both positions fully covered
}

TEST(Search, ModelsWithoutAnEndOfSentence) {
  SearchOptions o = beam_of(2, 2);
  o.specials = {.unk = -1, .bos = 1, .eos = -1, .pad = -1};
  for (const int64_t limit : {0, 5}) {
    o.max_length = limit;
    FakeDecoder decoder({}, {{3, 9}});
    const auto found = search(decoder, {{.source_length = 9}}, o)[0];
    ASSERT_EQ(found.size(), limit == 0 ? 1u : 2u);
    EXPECT_EQ(static_cast<int64_t>(found[0].tokens.size()), limit);
    EXPECT_EQ(static_cast<int64_t>(decoder.rows_per_step.size()), limit);
    EXPECT_FALSE(found[0].finished);
  }
}

}  // namespace
}  // namespace lookback::decode
