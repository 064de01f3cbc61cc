#include "lookback/decode/search.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "lookback/base/parallel.h"
#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

SearchOptions beam_of(int64_t beam, int64_t n_best = 1) {
  SearchOptions o;
  o.beam = beam, o.n_best = n_best, o.max_length = 12;
  return o;
}

const std::vector<FakeSentence> kSentences = {{11, 3}, {12, 7}, {13, 1}, {14, 5}, {15, 2}, {16, 9}};

template <class E>
std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing was thrown";
}

void expect_in(const std::string& message, const std::vector<std::string>& words) {
  for (const std::string& word : words) EXPECT_NE(message.find(word), std::string::npos) << word << " in: " << message;
}

TEST(Search, GreedyTakesTheLikeliestTokenEveryTime) {
  FakeModel model;
  model.V = 40;
  for (uint64_t key = 1; key < 20; ++key) {
    const auto found = search_one(model, {key, 4}, beam_of(1));
    std::vector<int32_t> history = {1}, tokens;
    bool finished = false;
    double log_prob = 0;
    while (!finished && tokens.size() <= 12) {
      auto log_probs = log_softmax(model.logits(key, history));
      log_probs[1] = log_probs[3] = -1e9;
      const auto token = static_cast<int32_t>(std::max_element(log_probs.begin(), log_probs.end()) - log_probs.begin());
      finished = token == 2;
      if (!finished && tokens.size() == 12) break;
      log_prob += log_probs[static_cast<size_t>(token)];
      if (!finished) tokens.push_back(token), history.push_back(token);
    }
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].tokens, tokens);
    EXPECT_EQ(found[0].finished, finished);
    EXPECT_NEAR(found[0].log_prob, log_prob, 1e-5);
  }
}

TEST(Search, BestFirstAndDistinct) {
  FakeModel model;
  model.V = 30;
  for (uint64_t key = 1; key < 20; ++key) {
    const auto found = search_one(model, {key, 4}, beam_of(6, 6));
    std::set<std::vector<int32_t>> seen;
    for (size_t k = 0; k < found.size(); ++k) {
      EXPECT_TRUE(seen.insert(found[k].tokens).second);
      EXPECT_GE(found[k > 0 ? k - 1 : 0].score, found[k].score);
    }
  }
}

// Rows that were mixed up would give other log-probabilities and alignments.
TEST(Search, ForcedScoringGivesTheSameNumbers) {
  FakeModel model;
  model.V = 30;
  SearchOptions o = beam_of(5, 3);
  o.coverage_penalty = 0.2;
  FakeDecoder decoder(model, kSentences);
  const auto found = search(decoder, sources_of(kSentences), o);
  for (size_t k = 0; k < 3; ++k) {
    std::vector<std::vector<int32_t>> targets;
    std::vector<FakeSentence> sentences;
    for (size_t b = 0; b < kSentences.size(); ++b)
      if (k < found[b].size() && found[b][k].finished)
        targets.push_back(found[b][k].tokens), sentences.push_back(kSentences[b]);
    ASSERT_FALSE(targets.empty());
    FakeDecoder again(model, sentences);
    const auto scored = force_score(again, sources_of(sentences), targets, o);
    size_t at = 0;
    for (size_t b = 0; b < kSentences.size(); ++b)
      if (k < found[b].size() && found[b][k].finished) expect_same_bits(scored[at++], found[b][k]);
  }
}

TEST(Search, AlignmentHasARowPerStepAndAColumnPerSourcePosition) {
  const FakeModel model;
  const auto found = search_one(model, {12, 7}, beam_of(3))[0];
  ASSERT_TRUE(found.finished);
  EXPECT_EQ(found.alignment.shape(), (Shape{static_cast<int64_t>(found.tokens.size()) + 1, 7}));
  EXPECT_EQ(found.token_log_probs.size(), found.tokens.size() + 1);
  std::vector<int32_t> history = {1};
  for (size_t u = 0; u <= found.tokens.size(); ++u) {
    const auto weights = model.weights(12, history, 7);
    EXPECT_TRUE(std::equal(weights.begin(), weights.end(), found.alignment.data<float>() + u * 7)) << u;
    if (u < found.tokens.size()) history.push_back(found.tokens[u]);
  }
  FakeDecoder without(model, {{12, 7}}, false);
  EXPECT_TRUE(search(without, {{.source_length = 7}}, beam_of(3))[0][0].alignment.empty());
}

std::vector<SearchOptions> mixed_options() {
  std::vector<SearchOptions> out = {beam_of(1), beam_of(4, 2), beam_of(4, 4)};
  out[2].coverage_penalty = 0.3, out[2].no_repeat_ngram = 2, out[2].min_length = 2;
  SearchOptions sample = beam_of(1, 3);
  sample.sample = true, sample.top_p = 0.9, sample.temperature = 1.3;
  out.push_back(sample);
  return out;
}

TEST(Search, ASentenceDoesNotSeeItsNeighbours) {
  FakeModel model;
  model.V = 25;
  for (const SearchOptions& o : mixed_options()) {
    FakeDecoder together(model, kSentences);
    const auto all = search(together, sources_of(kSentences), o);
    for (size_t b = 0; b < kSentences.size(); ++b) {
      const auto alone = search_one(model, kSentences[b], o);
      ASSERT_EQ(alone.size(), all[b].size());
      for (size_t k = 0; k < alone.size(); ++k) expect_same_bits(alone[k], all[b][k]);
    }
    const std::vector<FakeSentence> backwards(kSentences.rbegin(), kSentences.rend());
    FakeDecoder other(model, backwards);
    const auto reversed = search(other, sources_of(backwards), o);
    for (size_t b = 0; b < all.size(); ++b) expect_same_bits(all[b][0], reversed[all.size() - 1 - b][0]);
  }
}

TEST(Search, ThreadsChangeNothing) {
  FakeModel model;
  model.V = 40000;  // a row per thread
  model.scale = 4;
  for (SearchOptions o : mixed_options()) {
    o.max_length = 4;
    std::vector<std::vector<std::vector<Hypothesis>>> runs;
    for (const int threads : {1, 2, 3}) {
      const ThreadScope scope(threads);
      FakeDecoder decoder(model, {{1, 2}, {2, 3}});
      runs.push_back(search(decoder, sources_of({{1, 2}, {2, 3}}), o));
    }
    for (size_t r = 1; r < runs.size(); ++r)
      for (size_t b = 0; b < 2; ++b)
        for (size_t k = 0; k < runs[0][b].size(); ++k) expect_same_bits(runs[0][b][k], runs[r][b][k]);
  }
}

TEST(Search, FinishedSentencesLeaveTheBatch) {
  FakeModel model;
  model.edit = [](uint64_t key, const std::vector<int32_t>& history, std::vector<float>& logits) {
    logits[2] = history.size() > key ? 20.0f : -20.0f;  // sentence `key` has `key` tokens
  };
  FakeDecoder decoder(model, {{1, 2}, {4, 2}, {2, 2}});
  const auto found = search(decoder, sources_of({{1, 2}, {4, 2}, {2, 2}}), beam_of(1));
  EXPECT_EQ(found[0][0].tokens.size(), 1u);
  EXPECT_EQ(found[1][0].tokens.size(), 4u);
  EXPECT_EQ(found[2][0].tokens.size(), 2u);
  EXPECT_EQ(decoder.rows_per_step, (std::vector<int64_t>{3, 3, 2, 1, 1}));
}

TEST(Search, StopCountEndsWhenEnoughHaveEnded) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[2] += 2; };
  SearchOptions o = beam_of(3, 3);
  o.max_length = 50, o.max_length_factor = 0;
  FakeDecoder never(model, {{5, 3}}), count(model, {{5, 3}});
  o.stop = "never";
  search(never, sources_of({{5, 3}}), o);
  EXPECT_EQ(never.rows_per_step.size(), 51u);
  o.stop = "count";
  EXPECT_EQ(search(count, sources_of({{5, 3}}), o)[0].size(), 3u);
  EXPECT_LT(count.rows_per_step.size(), 15u);
}

TEST(Search, NoSentencesNoSteps) {
  FakeDecoder decoder({}, {});
  EXPECT_TRUE(search(decoder, {}, {}).empty());
  EXPECT_TRUE(decoder.rows_per_step.empty());
}

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
    StepOutput step(std::span<const int32_t> tokens) override {
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

TEST(Search, NotANumberNamesTheSentenceAndTheStep) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity})
    for (const bool sample : {false, true}) {
      FakeModel model;
      model.edit = [&](uint64_t key, const std::vector<int32_t>& history, std::vector<float>& logits) {
        if (key == 13 && history.size() == 3) std::fill(logits.begin(), logits.end(), bad);
        logits[2] = history.size() < 6 ? -30.0f : 30.0f;
        if (key == 13 && history.size() == 3) logits[2] = bad;
      };
      SearchOptions o = beam_of(sample ? 1 : 2);
      o.sample = sample;
      FakeDecoder decoder(model, kSentences);
      expect_in(message_of<NumericError>([&] { search(decoder, sources_of(kSentences), o); }),
                {"sentence 2", "step 2", bad == -kInfinity ? "every logit is -inf" : "NaN or +inf"});
    }
}

TEST(Search, MinusInfinityIsJustImpossible) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[4] = -kInfinity; };
  for (const Hypothesis& h : search_one(model, {3, 9}, beam_of(4, 4))) {
    EXPECT_EQ(std::count(h.tokens.begin(), h.tokens.end(), 4), 0);
    EXPECT_TRUE(std::isfinite(h.score));
  }
}

TEST(Search, RefusesWhatCannotWork) {
  const auto refuse = [](const std::function<void(SearchOptions&)>& change, const std::vector<std::string>& words) {
    SearchOptions o;
    change(o);
    expect_in(message_of<ConfigError>([&] { search_one({}, {3, 9}, o); }), words);
  };
  refuse([](auto& o) { o.n_best = 5; }, {"n_best = 5", "beam = 4"});
  refuse([](auto& o) { o.sample = true; }, {"sample", "beam = 4"});
  refuse([](auto& o) { o.temperature = 0.5; }, {"temperature", "sample = true"});
  refuse([](auto& o) { o.top_k = 5; }, {"top_k", "sample = true"});
  refuse([](auto& o) { o.top_p = 0.5; }, {"top_p", "sample = true"});
  refuse([](auto& o) { o.top_p = 0; }, {"top_p"});
  refuse([](auto& o) { o.min_length = 300; }, {"min_length = 300", "max_length = 200"});
  refuse([](auto& o) { o.length_penalty = -0.5; }, {"length_penalty", "-0.5"});
  refuse([](auto& o) { o.length_penalty = std::nan(""); }, {"length_penalty"});
  refuse([](auto& o) { o.coverage_penalty = -1; }, {"coverage_penalty"});
  refuse([](auto& o) { o.length_norm = "averge"; }, {"length_norm", "average"});
  refuse([](auto& o) { o.stop = "later"; }, {"stop", "exact"});
  refuse([](auto& o) { o.beam = 0; }, {"beam"});
  refuse([](auto& o) { o.specials.bos = 6; }, {"6", "vocabulary"});
  refuse([](auto& o) { o.specials.bos = -1; }, {"bos"});
}

TEST(Search, RefusesSourcesThatDoNotFit) {
  const SearchOptions plain = beam_of(2);
  expect_in(message_of<ConfigError>([&] {
              search_one({}, {3, 9}, plain, {4, 77});
            }),
            {"sentence 0", "prefix[1]", "77"});
  expect_in(message_of<ConfigError>([&] { search_one({}, {3, 9}, plain, {-1}); }), {"prefix[0]"});
  expect_in(message_of<ConfigError>([&] { search_one({}, {3, 9}, plain, {4, 2}); }), {"prefix[1]", "eos"});
  FakeDecoder narrow({}, {{3, 4}});
  expect_in(message_of<ShapeError>([&] { search(narrow, {{.source_length = 5}}, plain); }), {"sentence 0", "5", "4"});

  SearchOptions coverage = plain;
  coverage.coverage_penalty = 1;
  FakeDecoder without({}, {{3, 4}}, false), unknown({}, {{3, 4}});
  expect_in(message_of<ConfigError>([&] { search(without, {{.source_length = 4}}, coverage); }),
            {"coverage_penalty", "attention"});
  expect_in(message_of<ConfigError>([&] { search(unknown, {SourceInfo{}}, coverage); }),
            {"coverage_penalty", "source_length"});
}

// What a decoder may get wrong, one at a time.
struct Wrong final : StepDecoder {
  int kind;
  int steps = 0;
  explicit Wrong(int k) : kind(k) {}
  StepOutput step(std::span<const int32_t> tokens) override {
    const int64_t N = static_cast<int64_t>(tokens.size());
    ++steps;
    switch (kind) {
      case 0:
        return {Tensor::zeros({N + 1, 6}), {}};
      case 1:
        return {Tensor::zeros({N, 5}), {}};
      case 2:
        return {Tensor::zeros({N, 6}, Dtype::f64), {}};
      case 3:
        return {Tensor::zeros({N, 6}), Tensor::zeros({N + 1, 3})};
      case 4:
        return {Tensor::zeros({N, 6}), Tensor::zeros({N})};
      default:
        return {Tensor::zeros({N, 6}), steps == 2 ? Tensor() : Tensor::zeros({N, 3})};
    }
  }
  void reorder(std::span<const int32_t>) override {}
  int64_t vocabulary() const override { return 6; }
};

TEST(Search, RefusesOutputOfTheWrongShape) {
  for (int kind = 0; kind < 6; ++kind) {
    Wrong decoder(kind);
    EXPECT_THROW(search(decoder, {{.source_length = 3}}, beam_of(2)), ShapeError) << kind;
  }
  for (int kind = 0; kind < 6; ++kind) {
    Wrong decoder(kind);
    EXPECT_THROW(force_score(decoder, {{.source_length = 3}}, {{4, 5, 4}}), ShapeError) << kind;
  }
}

TEST(Search, OptionsDescribeThemselves) {
  SearchOptions o;
  auto fields = fields_of(o);
  set_field_text(find_field(fields, "beam", "test"), "7", "test");
  EXPECT_EQ(o.beam, 7);
  for (const Field& f : fields) EXPECT_FALSE(f.help.empty()) << f.path;
}

}  // namespace
}  // namespace lookback::decode
