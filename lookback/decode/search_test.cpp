#include "lookback/decode/search.h"

#include <gtest/gtest.h>

#include <set>

#include "lookback/base/parallel.h"
#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

const std::vector<FakeSentence> kSentences = {{11, 3}, {12, 7}, {13, 1}, {14, 5}, {15, 2}, {16, 9}};

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

// Gives no more than the tokens that were asked for, as a decoder may.
class BestOnly final : public StepDecoder {
 public:
  BestOnly(const FakeModel& model, std::vector<FakeSentence> sentences) : all_(model, std::move(sentences)) {}
  StepOutput step(std::span<const int32_t> tokens, int64_t best) override {
    asked.push_back(best);
    const StepOutput all = all_.step(tokens, best);
    if (best == kAll) return all;
    const int64_t N = all.logits.dim(0), V = all.logits.dim(1);
    StepOutput out{Tensor({N, best}), all.weights, {}};
    kept_.assign(static_cast<size_t>(N), {});
    for (int64_t n = 0; n < N; ++n) {
      const float* const row = all.logits.data<float>() + n * V;
      auto& kept = kept_[static_cast<size_t>(n)];
      for (int32_t v = 0; v < V; ++v) kept.push_back(v);
      std::stable_sort(kept.begin(), kept.end(), [&](int32_t a, int32_t b) { return row[a] > row[b]; });
      kept.resize(static_cast<size_t>(best));
      std::sort(kept.begin(), kept.end());
      for (int64_t c = 0; c < best; ++c) out.logits.data<float>()[n * best + c] = row[kept[static_cast<size_t>(c)]];
      out.candidates.emplace_back(kept);
    }
    return out;
  }
  void reorder(std::span<const int32_t> from) override { all_.reorder(from); }
  int64_t vocabulary() const override { return all_.vocabulary(); }

  std::vector<int64_t> asked;

 private:
  FakeDecoder all_;
  std::vector<std::vector<int32_t>> kept_;
};

TEST(Search, GreedyWithoutScoresFindsTheSameOutputsFromTheLikeliestTokensAlone) {
  FakeModel model;
  model.V = 40;
  std::vector<SearchOptions> kinds(9, beam_of(1));
  kinds[1].min_length = 4;
  kinds[2].no_repeat_ngram = 2, kinds[2].allow_unk = false;
  kinds[3].no_repeat_ngram = 1;
  kinds[4].coverage_penalty = 0.3, kinds[4].length_norm = "gnmt";
  kinds[5].max_length = 3, kinds[5].max_length_factor = 0;
  kinds[6].repetition_penalty = 1.5, kinds[6].min_length = 6;
  kinds[7].repetition_penalty = 3, kinds[7].no_repeat_ngram = 2;
  kinds[8].repetition_penalty = 0.6;
  for (const bool prefixed : {false, true})
    for (SearchOptions& o : kinds) {
      std::vector<FakeSentence> sentences;
      for (uint64_t key = 1; key < 12; ++key) sentences.push_back({key, 4});
      auto infos = sources_of(sentences);
      if (prefixed) infos[2].prefix = {9, 9, 30}, infos[5].prefix = {8};
      if (prefixed) infos[3].context = {7, 9}, infos[4].ends = [](auto tokens) { return tokens.size() == 3; };
      FakeDecoder whole(model, sentences), again(model, sentences);
      BestOnly few(model, sentences);
      o.scores = true;
      const auto want = search(whole, infos, o);
      o.scores = false;
      const auto found = search(few, infos, o), from_all = search(again, infos, o);
      for (size_t b = 0; b < sentences.size(); ++b)
        for (const Hypothesis* h : {&found[b].at(0), &from_all[b].at(0)}) {
          EXPECT_EQ(h->tokens, want[b][0].tokens) << b;
          EXPECT_EQ(h->finished, want[b][0].finished);
          EXPECT_EQ(h->alignment.shape(), want[b][0].alignment.shape());
          const auto a = h->alignment.span<float>(), w = want[b][0].alignment.span<float>();
          EXPECT_TRUE(std::equal(a.begin(), a.end(), w.begin(), w.end()));
          EXPECT_TRUE(std::isnan(h->score) && std::isnan(h->log_prob) && h->token_log_probs.empty());
        }
      const bool looks_back = o.no_repeat_ngram > 0 || o.repetition_penalty > 1;
      EXPECT_EQ(few.asked[0], o.repetition_penalty < 1 ? StepDecoder::kAll : looks_back && prefixed ? 7 : 5);
      EXPECT_EQ(few.asked.back() > 5, looks_back && (few.asked.size() > 1 || prefixed));
    }
}

TEST(Search, OnlyGreedySearchDoesWithoutScores) {
  const FakeModel model;
  for (SearchOptions o : {beam_of(3), beam_of(1)}) {
    o.sample = o.beam == 1;
    FakeDecoder whole(model, kSentences), again(model, kSentences);
    const auto want = search(whole, sources_of(kSentences), o);
    o.scores = false;
    const auto found = search(again, sources_of(kSentences), o);
    for (size_t b = 0; b < found.size(); ++b) expect_same_bits(found[b][0], want[b][0]);
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

TEST(Search, SentencesThatWaitTakeThePlacesOfThoseThatAreDone) {
  FakeModel model;
  model.edit = [](uint64_t key, const std::vector<int32_t>& history, std::vector<float>& logits) {
    logits[2] = history.size() > key ? 20.0f : -20.0f;  // sentence `key` has `key` tokens
  };
  const std::vector<FakeSentence> sentences = {{1, 2}, {4, 2}, {2, 2}, {1, 3}, {3, 9}};
  FakeDecoder decoder(model, sentences, true, 2);
  const auto found = search(decoder, sources_of(sentences), beam_of(1));
  for (size_t b = 0; b < sentences.size(); ++b) EXPECT_EQ(found[b][0].tokens.size(), sentences[b].key);
  // Steps of the sentences: 2, 5, 3, 2, 4.
  EXPECT_EQ(decoder.rows_per_step, (std::vector<int64_t>{2, 2, 2, 2, 2, 2, 2, 1, 1}));
  EXPECT_EQ(decoder.waiting(), 0);
}

TEST(Search, HowManyAreSearchedTogetherChangesNothing) {
  FakeModel model;
  model.V = 25;
  for (const SearchOptions& o : mixed_options()) {
    FakeDecoder all(model, kSentences);
    const auto want = search(all, sources_of(kSentences), o);
    for (const int64_t together : {1, 2, 5}) {
      FakeDecoder some(model, kSentences, true, together);
      const auto found = search(some, sources_of(kSentences), o);
      for (size_t b = 0; b < kSentences.size(); ++b) {
        ASSERT_EQ(found[b].size(), want[b].size());
        for (size_t k = 0; k < want[b].size(); ++k) expect_same_bits(found[b][k], want[b][k]);
      }
    }
  }
}

TEST(Search, SentencesWithNothingToDoKeepNobodyWaiting) {
  SearchOptions o = beam_of(1);
  o.specials.eos = -1, o.max_length_factor = 1, o.max_length_offset = 0;  // as long as the source
  const std::vector<FakeSentence> sentences = {{1, 0}, {2, 3}, {3, 0}, {4, 0}, {5, 2}, {6, 0}};
  FakeDecoder decoder({}, sentences, true, 1);
  const auto found = search(decoder, sources_of(sentences), o);
  for (size_t b = 0; b < sentences.size(); ++b) EXPECT_EQ(std::ssize(found[b].at(0).tokens), sentences[b].T) << b;
  FakeDecoder stuck({}, sentences, true, 0);
  EXPECT_THROW(search(stuck, sources_of(sentences), o), ShapeError);
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

}  // namespace
}  // namespace lookback::decode
