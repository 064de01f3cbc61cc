// Beam search against every possible output of small random models.
#include <gtest/gtest.h>

#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

struct Output {
  std::vector<int32_t> tokens;
  double score;
};

// All finished outputs under the rules of search, written down once more and naively.
class Everything {
 public:
  Everything(const FakeModel& model, FakeSentence sentence, const SearchOptions& options, std::vector<int32_t> prefix)
      : model_(model), sentence_(sentence), o_(options), prefix_(std::move(prefix)) {
    limit_ = length_limit(options, {.source_length = sentence.T, .prefix = prefix_});
    walk({o_.specials.bos}, 0, std::vector<double>(static_cast<size_t>(sentence.T)));
    std::stable_sort(found.begin(), found.end(), [](const Output& a, const Output& b) { return a.score > b.score; });
  }
  std::vector<Output> found;

 private:
  bool repeats(const std::vector<int32_t>& tokens) const {  // tokens without bos
    const auto n = static_cast<size_t>(o_.no_repeat_ngram);
    if (n == 0 || tokens.size() < n) return false;
    const std::vector<int32_t> last(tokens.end() - static_cast<std::ptrdiff_t>(n), tokens.end());
    return std::search(tokens.begin(), tokens.end() - 1, last.begin(), last.end()) != tokens.end() - 1;
  }
  double score(double log_prob, double steps, const std::vector<double>& coverage) const {
    double norm = 1;
    if (o_.length_norm == "gnmt") norm = std::pow((5 + steps) / 6, o_.length_penalty);
    if (o_.length_norm == "average") norm = std::pow(steps, o_.length_penalty);
    double penalty = 0;
    for (const double c : coverage) penalty += std::log(std::min(c, 1.0));
    return log_prob / norm + (o_.coverage_penalty > 0 ? o_.coverage_penalty * penalty : 0);
  }
  void walk(const std::vector<int32_t>& history, double log_prob, std::vector<double> coverage) {
    const auto log_probs = log_softmax(model_.logits(sentence_.key, history));
    const auto weights = model_.weights(sentence_.key, history, sentence_.T);
    for (size_t i = 0; i < coverage.size(); ++i) coverage[i] += static_cast<double>(weights[i]);
    const auto length = static_cast<int64_t>(history.size()) - 1;
    std::vector<int32_t> tokens(history.begin() + 1, history.end());
    const bool in_prefix = length < static_cast<int64_t>(prefix_.size());

    std::vector<int32_t> next;
    for (int32_t token = 0; token < model_.V; ++token) {
      if (token == o_.specials.bos || token == o_.specials.pad || token == o_.specials.eos) continue;
      if (in_prefix && token != prefix_[static_cast<size_t>(length)]) continue;
      auto longer = tokens;
      longer.push_back(token);
      if (in_prefix || (!repeats(longer) && (o_.allow_unk || token != o_.specials.unk))) next.push_back(token);
    }
    if (!in_prefix && (length >= o_.min_length || next.empty()))
      found.push_back({tokens, score(log_prob + log_probs[2], static_cast<double>(length + 1), coverage)});
    if (length == limit_) return;
    for (const int32_t token : next) {
      auto longer = history;
      longer.push_back(token);
      walk(longer, log_prob + log_probs[static_cast<size_t>(token)], coverage);
    }
  }

  const FakeModel& model_;
  FakeSentence sentence_;
  SearchOptions o_;
  std::vector<int32_t> prefix_;
  int64_t limit_;
};

SearchOptions wide() {
  SearchOptions o;
  o.beam = 500;  // V = 6 has 3 ordinary tokens: at most 3^5 open hypotheses of 5 tokens
  o.n_best = 7;
  o.max_length = 5;
  return o;
}

void expect_everything(const SearchOptions& options, uint64_t seed, const std::vector<int32_t>& prefix = {}) {
  const FakeModel model;
  const FakeSentence sentence{seed, 1 + static_cast<int64_t>(seed % 4)};
  const auto all = Everything(model, sentence, options, prefix).found;
  const auto found = search_one(model, sentence, options, prefix);
  ASSERT_EQ(found.size(), std::min(all.size(), static_cast<size_t>(options.n_best)));
  for (size_t k = 0; k < found.size(); ++k) {
    EXPECT_TRUE(found[k].finished);
    EXPECT_EQ(found[k].tokens, all[k].tokens) << "seed " << seed << ", output " << k;
    EXPECT_NEAR(found[k].score, all[k].score, 1e-5);
  }
}

struct Penalty {
  const char* norm;
  double alpha, beta;
};
const Penalty kPenalties[] = {{"none", 1, 0},      {"average", 0, 0},   {"average", 0.6, 0}, {"average", 1, 0},
                              {"average", 2, 0},   {"gnmt", 0.6, 0},    {"gnmt", 1.5, 0},    {"none", 1, 0.4},
                              {"average", 1, 0.2}, {"average", 0.5, 3}, {"gnmt", 0.9, 0.4}};

TEST(Exhaustive, WideBeamFindsTheBestOfAll) {
  for (const Penalty& p : kPenalties)
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      SearchOptions o = wide();
      o.length_norm = p.norm, o.length_penalty = p.alpha, o.coverage_penalty = p.beta;
      expect_everything(o, seed);
    }
}

TEST(Exhaustive, WithEveryConstraintAtOnce) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SearchOptions o = wide();
    o.no_repeat_ngram = 1 + static_cast<int64_t>(seed % 3);
    o.min_length = static_cast<int64_t>(seed % 4);
    o.coverage_penalty = 0.3;
    o.allow_unk = seed % 2 == 0;
    expect_everything(o, seed, seed % 3 == 0 ? std::vector<int32_t>{} : std::vector<int32_t>{5, 4, 5});
    o.min_length = 5;
    expect_everything(o, seed);
  }
}

// The rule of the beam once more, naively: all continuations sorted, no stop.
std::vector<Output> plain_beam(const FakeModel& model, FakeSentence sentence, const SearchOptions& o) {
  struct Partial {
    std::vector<int32_t> history;
    double log_prob;
  };
  std::vector<Partial> open = {{{1}, 0}};
  std::vector<Output> ended;
  const int64_t limit = length_limit(o, {.source_length = sentence.T});
  for (int64_t length = 0; length <= limit; ++length) {
    std::vector<Partial> all;
    for (const Partial& h : open) {
      const auto log_probs = log_softmax(model.logits(sentence.key, h.history));
      for (int32_t token = 0; token < model.V; ++token) {
        if (token == 1 || token == 3) continue;
        all.push_back({h.history, h.log_prob + log_probs[static_cast<size_t>(token)]});
        all.back().history.push_back(token);
      }
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.log_prob > b.log_prob; });
    open.clear();
    for (int64_t rank = 0; rank < static_cast<int64_t>(all.size()); ++rank) {
      const Partial& h = all[static_cast<size_t>(rank)];
      if (h.history.back() != 2 && static_cast<int64_t>(open.size()) < o.beam)
        open.push_back(h);
      else if (h.history.back() == 2 && rank < o.beam)
        ended.push_back({{h.history.begin() + 1, h.history.end() - 1}, h.log_prob / static_cast<double>(length + 1)});
    }
  }
  std::stable_sort(ended.begin(), ended.end(), [](const Output& a, const Output& b) { return a.score > b.score; });
  return ended;
}

TEST(Exhaustive, NarrowBeamFollowsItsRule) {
  FakeModel model;
  model.V = 20;
  for (const std::string stop : {"exact", "never"})
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      SearchOptions o;
      o.beam = 2 + static_cast<int64_t>(seed % 4), o.n_best = o.beam, o.max_length = 6, o.stop = stop;
      const auto expected = plain_beam(model, {seed, 3}, o);
      const auto found = search_one(model, {seed, 3}, o);
      if (expected.empty()) {
        EXPECT_FALSE(found[0].finished);
        continue;
      }
      ASSERT_EQ(found.size(), std::min(expected.size(), static_cast<size_t>(o.n_best))) << "seed " << seed;
      for (size_t k = 0; k < found.size(); ++k) {
        EXPECT_EQ(found[k].tokens, expected[k].tokens) << "seed " << seed << ", output " << k;
        EXPECT_NEAR(found[k].score, expected[k].score, 1e-5);
      }
    }
}

// What `exact` leaves out could not have won.
TEST(Exhaustive, StoppingEarlyLosesNothing) {
  FakeModel model;
  int64_t steps_exact = 0, steps_never = 0;
  for (const Penalty& p : kPenalties)
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      model.scale = 0.5 + static_cast<double>(seed % 5);
      SearchOptions o;
      o.beam = 2 + static_cast<int64_t>(seed % 4);
      o.n_best = 1 + static_cast<int64_t>(seed % 2);
      o.max_length = 4 + static_cast<int64_t>(seed % 9);
      o.length_norm = p.norm, o.length_penalty = p.alpha, o.coverage_penalty = p.beta;
      const std::vector<FakeSentence> one = {{seed, 3}};
      FakeDecoder exact(model, one), never(model, one);
      const auto early = search(exact, sources_of(one), o)[0];
      o.stop = "never";
      const auto late = search(never, sources_of(one), o)[0];
      ASSERT_EQ(early.size(), late.size());
      for (size_t k = 0; k < early.size(); ++k) expect_same_bits(early[k], late[k]);
      steps_exact += static_cast<int64_t>(exact.rows_per_step.size());
      steps_never += static_cast<int64_t>(never.rows_per_step.size());
    }
  EXPECT_LT(steps_exact, steps_never * 3 / 4) << "it does not stop early at all";
}

}  // namespace
}  // namespace lookback::decode
