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

TEST(Search, RepetitionPenaltyDividesWhatIsPositiveAndMultipliesWhatIsNegative) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) {
    logits = {-2.0f, 0, -9.0f, 0, 1.0f, 0.9f};  // by itself: 4 4 4 4 ...
  };
  SearchOptions o = beam_of(1);
  o.max_length = 5;
  EXPECT_EQ(search_one(model, {3, 9}, o)[0].tokens, (std::vector<int32_t>{4, 4, 4, 4, 4}));
  o.repetition_penalty = 1.2;  // 1 / 1.2 < 0.9, and 0.9 / 1.2 less still
  const Hypothesis h = search_one(model, {3, 9}, o)[0];
  EXPECT_EQ(h.tokens, (std::vector<int32_t>{4, 5, 4, 4, 4}));
  const auto own = log_softmax({-2.0f, 0, -9.0f, 0, 1.0f, 0.9f});
  EXPECT_NEAR(h.token_log_probs[0], own[4], 1e-6);
  EXPECT_NEAR(h.token_log_probs[1], own[5], 1e-6);
  double total = 0;
  for (const auto& seen : {std::vector<int32_t>{}, {4}, {4, 5}, {4, 5}, {4, 5}}) {
    const auto p = log_softmax(penalised({-2.0f, 0, -9.0f, 0, 1.0f, 0.9f}, seen, 1.2));
    total += p[seen.size() == 1 ? 5 : 4];
  }
  EXPECT_NEAR(h.score, total / 5, 1e-6);
  o.repetition_penalty = 100;  // 0.01 and 0.009 are still more than -2
  EXPECT_EQ(search_one(model, {3, 9}, o)[0].tokens[2], 4);
  // Prefix and context count as well.
  o.repetition_penalty = 1.2;
  EXPECT_EQ(search_one(model, {3, 9}, o, {4})[0].tokens, (std::vector<int32_t>{4, 5, 4, 4, 4}));
  EXPECT_EQ(search_with(model, {3, 9}, o, {.context = {4}})[0].tokens, (std::vector<int32_t>{5, 4, 4, 4, 4}));
  EXPECT_EQ(search_with(model, {3, 9}, o, {.context = {4, 4, 5}})[0].tokens, (std::vector<int32_t>{4, 4, 4, 4, 4}));
  // A context that holds eos puts the end off, as Hugging Face does.
  model.edit = [](uint64_t, const std::vector<int32_t>& history, std::vector<float>& logits) {
    logits = {0.84f, 0, history.size() < 3 ? 0.0f : 1.0f, 0, 0.85f, 0.9f};
  };
  EXPECT_EQ(search_with(model, {3, 9}, o, {})[0].tokens, (std::vector<int32_t>{5, 4}));
  EXPECT_EQ(search_with(model, {3, 9}, o, {.context = {2}})[0].tokens, (std::vector<int32_t>{5, 4, 0}));
}

TEST(Search, ContextCountsForNgrams) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) {
    logits = {-3.0f, 0, -9.0f, 0, 2.0f, 1.0f};
  };
  for (const int64_t beam : {1, 3}) {
    SearchOptions o = beam_of(beam);
    o.no_repeat_ngram = 2, o.max_length = o.min_length = 1;
    EXPECT_EQ(search_with(model, {3, 9}, o, {.context = {4, 5, 0}})[0].tokens, (std::vector<int32_t>{4}));
    EXPECT_EQ(search_with(model, {3, 9}, o, {.context = {4, 4}})[0].tokens, (std::vector<int32_t>{5}));
    EXPECT_EQ(search_with(model, {3, 9}, o, {.context = {5, 4, 0, 5}})[0].tokens, (std::vector<int32_t>{5}));
  }
}

TEST(Search, OutputsEndWithoutEos) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>& history, std::vector<float>& logits) {
    logits[2] = -30, logits[4] = history.size() % 3 == 2 ? -8.0f : 9.0f, logits[5] = 3;  // 4 5 4 4 5 4 ...
  };
  std::vector<std::vector<int32_t>> asked;
  const auto ends = [&](std::span<const int32_t> tokens) {
    asked.emplace_back(tokens.begin(), tokens.end());
    return tokens.size() > 1 && tokens.back() == 5;
  };
  for (const bool sample : {false, true})
    for (const bool scores : {false, true}) {
      SearchOptions o = beam_of(1);
      o.sample = sample, o.scores = scores;
      if (sample) o.top_k = 1;
      asked.clear();
      Hypothesis h = search_with(model, {3, 9}, o, {.ends = ends})[0];
      EXPECT_EQ(asked, (std::vector<std::vector<int32_t>>{{4}, {4, 5}}));
      EXPECT_EQ(h.tokens, (std::vector<int32_t>{4, 5}));
      EXPECT_TRUE(h.finished && h.stopped);
      EXPECT_EQ(h.token_log_probs.size(), scores || sample ? 2u : 0u);
      EXPECT_EQ(h.alignment.shape(), (Shape{2, 9}));
      // Not before min_length, and not in the prefix.
      o.min_length = 3;
      EXPECT_EQ(search_with(model, {3, 9}, o, {.ends = ends})[0].tokens, (std::vector<int32_t>{4, 5, 4, 4, 5}));
      o.min_length = 0;
      asked.clear();
      h = search_with(model, {3, 9}, o, {.prefix = {4, 5, 4}, .ends = ends})[0];
      EXPECT_EQ(h.tokens, (std::vector<int32_t>{4, 5, 4, 4, 5}));
      EXPECT_EQ(asked.size(), 2u);
      // At the limit it is the limit that ends it, unless the last token does.
      o.max_length = 4, o.min_length = 3;
      h = search_with(model, {3, 9}, o, {.ends = ends})[0];
      EXPECT_FALSE(h.finished || h.stopped);
      o.max_length = 5;
      EXPECT_TRUE(search_with(model, {3, 9}, o, {.ends = ends})[0].stopped);
    }
}

TEST(Search, ModelsWithoutEosEndWhereTheyAreSaidTo) {
  for (const int64_t beam : {1, 3}) {
    SearchOptions o = beam_of(beam, beam);
    o.specials = {.unk = -1, .bos = 1, .eos = -1, .pad = -1};
    const auto found = search_with({}, {3, 9}, o, {.ends = [](auto tokens) { return tokens.size() == 3; }});
    ASSERT_EQ(std::ssize(found), beam);
    for (const Hypothesis& h : found) {
      EXPECT_TRUE(h.finished && h.stopped);
      EXPECT_EQ(h.tokens.size(), 3u);
    }
  }
}

TEST(Search, TokensAreToldAsTheyAreChosen) {
  FakeModel model;
  model.V = 20;
  for (const bool sample : {false, true})
    for (const bool stop : {false, true})
      for (uint64_t key = 1; key < 30; ++key) {
        SearchOptions o = beam_of(1);
        o.sample = sample, o.scores = key % 2 == 0, o.max_length = 6;
        SourceInfo info;
        if (stop) info.ends = [](auto tokens) { return tokens.size() == 4; };
        if (key % 3 == 0) info.prefix = {5, 4};
        std::vector<int32_t> told = info.prefix;
        info.on_token = [&](int32_t token) { told.push_back(token); };
        EXPECT_EQ(search_with(model, {key, 9}, o, info)[0].tokens, told);
      }
}

TEST(Search, WhatOneSentenceIsToldIsNothingToTheOthers) {
  const std::vector<FakeSentence> sentences = {{11, 3}, {12, 7}, {13, 1}, {14, 5}, {15, 2}};
  FakeModel model;
  model.V = 20;
  for (const int64_t beam : {1, 3}) {
    SearchOptions o = beam_of(beam, beam);
    o.repetition_penalty = 1.3, o.no_repeat_ngram = 2;
    auto infos = sources_of(sentences);
    infos[1].context = {5, 6, 7, 5};
    infos[2].ends = [](auto tokens) { return tokens.size() == 2; };
    infos[3].prefix = {9}, infos[3].ends = [](auto tokens) { return tokens.back() % 4 == 0; };
    FakeDecoder decoder(model, sentences, true, 2);
    const auto found = search(decoder, infos, o);
    for (size_t b = 0; b < sentences.size(); ++b) {
      const auto alone = search_with(model, sentences[b], o, infos[b]);
      ASSERT_EQ(found[b].size(), alone.size());
      for (size_t k = 0; k < alone.size(); ++k) expect_same_bits(found[b][k], alone[k]);
    }
  }
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
