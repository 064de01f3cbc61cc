// Beam search against every possible output of small random models.
#include <gtest/gtest.h>

#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

struct Output {
  std::vector<int32_t> tokens;
  double score;
  double log_prob = 0;
  bool stopped = false;
};

// Total log-probability: that of the penalised distribution, and the model's own.
struct LogProb {
  double ranked = 0, own = 0;
};

// All finished outputs under the rules of search, written down once more and naively.
class Everything {
 public:
  Everything(const FakeModel& model, FakeSentence sentence, const SearchOptions& options, const SourceInfo& info)
      : model_(model),
        sentence_(sentence),
        o_(options),
        prefix_(info.prefix),
        context_(info.context),
        ends_(info.ends) {
    limit_ = length_limit(options, {.source_length = sentence.T, .prefix = prefix_});
    walk({o_.specials.bos}, {}, std::vector<double>(static_cast<size_t>(sentence.T)));
    std::stable_sort(found.begin(), found.end(), [](const Output& a, const Output& b) { return a.score > b.score; });
  }
  std::vector<Output> found;

 private:
  std::vector<int32_t> with_context(const std::vector<int32_t>& tokens) const {  // tokens without bos
    std::vector<int32_t> all = context_;
    all.insert(all.end(), tokens.begin(), tokens.end());
    return all;
  }
  bool repeats(std::vector<int32_t> tokens) const {
    tokens = with_context(tokens);
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
  void walk(const std::vector<int32_t>& history, LogProb log_prob, std::vector<double> coverage) {
    const auto logits = model_.logits(sentence_.key, history);
    const auto own = log_softmax(logits);
    const auto weights = model_.weights(sentence_.key, history, sentence_.T);
    for (size_t i = 0; i < coverage.size(); ++i) coverage[i] += static_cast<double>(weights[i]);
    const auto length = static_cast<int64_t>(history.size()) - 1;
    std::vector<int32_t> tokens(history.begin() + 1, history.end());
    const auto log_probs = log_softmax(penalised(logits, with_context(tokens), o_.repetition_penalty));
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
      found.push_back({tokens, score(log_prob.ranked + log_probs[2], static_cast<double>(length + 1), coverage),
                       log_prob.own + own[2]});
    if (length == limit_) return;
    for (const int32_t token : next) {
      auto longer = history;
      longer.push_back(token);
      const auto t = static_cast<size_t>(token);
      const LogProb sum = {log_prob.ranked + log_probs[t], log_prob.own + own[t]};
      tokens.assign(longer.begin() + 1, longer.end());
      if (ends_ && !in_prefix && length + 1 >= o_.min_length && ends_(tokens))
        found.push_back({tokens, score(sum.ranked, static_cast<double>(length + 1), coverage), sum.own, true});
      else
        walk(longer, sum, coverage);
    }
  }

  const FakeModel& model_;
  FakeSentence sentence_;
  SearchOptions o_;
  std::vector<int32_t> prefix_, context_;
  std::function<bool(std::span<const int32_t>)> ends_;
  int64_t limit_;
};

SearchOptions wide() {
  SearchOptions o;
  o.beam = 500;  // V = 6 has 3 ordinary tokens: at most 3^5 open hypotheses of 5 tokens
  o.n_best = 7;
  o.max_length = 5;
  return o;
}

void expect_everything(const SearchOptions& options, uint64_t seed, const SourceInfo& info = {}) {
  const FakeModel model;
  const FakeSentence sentence{seed, 1 + static_cast<int64_t>(seed % 4)};
  const auto all = Everything(model, sentence, options, info).found;
  const auto found = search_with(model, sentence, options, info);
  ASSERT_EQ(found.size(), std::min(all.size(), static_cast<size_t>(options.n_best)));
  for (size_t k = 0; k < found.size(); ++k) {
    EXPECT_TRUE(found[k].finished);
    EXPECT_EQ(found[k].tokens, all[k].tokens) << "seed " << seed << ", output " << k;
    EXPECT_NEAR(found[k].score, all[k].score, 1e-5);
    EXPECT_NEAR(found[k].log_prob, all[k].log_prob, 1e-5);
    EXPECT_EQ(found[k].stopped, all[k].stopped);
    EXPECT_EQ(found[k].token_log_probs.size(), found[k].tokens.size() + (found[k].stopped ? 0 : 1));
    EXPECT_EQ(found[k].alignment.dim(0), std::ssize(found[k].token_log_probs));
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
    SourceInfo info;
    if (seed % 3 != 0) info.prefix = {5, 4, 5};
    expect_everything(o, seed, info);
    o.min_length = 5;
    expect_everything(o, seed);
  }
}

TEST(Exhaustive, RepetitionPenaltyRanksByThePenalisedDistribution) {
  for (const double penalty : {0.5, 1.3, 4.0})
    for (const Penalty& p : kPenalties)
      for (uint64_t seed = 1; seed <= 6; ++seed) {
        SearchOptions o = wide();
        o.repetition_penalty = penalty;
        o.length_norm = p.norm, o.length_penalty = p.alpha, o.coverage_penalty = p.beta;
        SourceInfo info;
        if (seed % 2 == 0) info.prefix = {5, 4};
        if (seed % 3 == 0) info.context = {2, 4, 4};
        expect_everything(o, seed, info);
      }
}

TEST(Exhaustive, OutputsEndWhereTheyAreSaidTo) {
  const auto four_five = [](std::span<const int32_t> tokens) {
    return tokens.size() >= 2 && tokens[tokens.size() - 2] == 4 && tokens.back() == 5;
  };
  int stopped = 0;
  for (uint64_t seed = 1; seed <= 24; ++seed) {
    SearchOptions o = wide();
    o.min_length = static_cast<int64_t>(seed % 4);
    if (seed % 3 == 0) o.no_repeat_ngram = 2, o.repetition_penalty = 1.5;
    SourceInfo info{.ends = four_five};
    if (seed % 5 == 0) info.prefix = {4, 5, 4}, info.context = {5, 5};
    expect_everything(o, seed, info);
    for (const Hypothesis& h : search_with({}, {seed, 3}, o, info)) stopped += h.stopped;
  }
  EXPECT_GT(stopped, 20);
}

// The rule of the beam once more, naively: all continuations sorted, no stop.
std::vector<Output> plain_beam(const FakeModel& model, FakeSentence sentence, const SearchOptions& o,
                               const SourceInfo& info) {
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
      const std::vector<int32_t> seen(h.history.begin() + 1, h.history.end());
      const auto log_probs = log_softmax(penalised(model.logits(sentence.key, h.history), seen, o.repetition_penalty));
      for (int32_t token = 0; token < model.V; ++token) {
        if (token == 1 || token == 3) continue;
        all.push_back({h.history, h.log_prob + log_probs[static_cast<size_t>(token)]});
        all.back().history.push_back(token);
      }
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.log_prob > b.log_prob; });
    open.clear();
    int64_t stayed = 0;
    for (int64_t rank = 0; rank < static_cast<int64_t>(all.size()); ++rank) {
      const Partial& h = all[static_cast<size_t>(rank)];
      const std::vector<int32_t> tokens(h.history.begin() + 1, h.history.end());
      if (h.history.back() != 2 && length < limit && stayed < o.beam) {
        ++stayed;
        if (info.ends && info.ends(tokens))
          ended.push_back({tokens, h.log_prob / static_cast<double>(length + 1)});
        else
          open.push_back(h);
      } else if (h.history.back() == 2 && rank < o.beam)
        ended.push_back({{h.history.begin() + 1, h.history.end() - 1}, h.log_prob / static_cast<double>(length + 1)});
    }
  }
  std::stable_sort(ended.begin(), ended.end(), [](const Output& a, const Output& b) { return a.score > b.score; });
  return ended;
}

TEST(Exhaustive, NarrowBeamFollowsItsRule) {
  FakeModel model;
  model.V = 20;
  int stopped = 0;
  for (const std::string stop : {"exact", "never"})
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      SearchOptions o;
      SourceInfo info;
      if (seed % 3 == 0) o.repetition_penalty = 1.4;
      if (seed % 2 == 0) info.ends = [](std::span<const int32_t> tokens) { return tokens.back() % 3 == 0; };
      o.beam = 2 + static_cast<int64_t>(seed % 4), o.n_best = o.beam, o.max_length = 6, o.stop = stop;
      const auto expected = plain_beam(model, {seed, 3}, o, info);
      const auto found = search_with(model, {seed, 3}, o, info);
      if (expected.empty()) {
        EXPECT_FALSE(found[0].finished);
        continue;
      }
      ASSERT_EQ(found.size(), std::min(expected.size(), static_cast<size_t>(o.n_best))) << "seed " << seed;
      for (size_t k = 0; k < found.size(); ++k) {
        EXPECT_EQ(found[k].tokens, expected[k].tokens) << "seed " << seed << ", output " << k;
        EXPECT_NEAR(found[k].score, expected[k].score, 1e-5);
        stopped += found[k].stopped;
      }
    }
  EXPECT_GT(stopped, 50);
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
      if (seed % 3 == 0) o.repetition_penalty = seed % 2 == 0 ? 1.5 : 0.7;
      const std::vector<FakeSentence> one = {{seed, 3}};
      auto infos = sources_of(one);
      if (seed % 4 == 0) infos[0].ends = [](std::span<const int32_t> tokens) { return tokens.back() == 5; };
      FakeDecoder exact(model, one), never(model, one);
      const auto early = search(exact, infos, o)[0];
      o.stop = "never";
      const auto late = search(never, infos, o)[0];
      ASSERT_EQ(early.size(), late.size());
      for (size_t k = 0; k < early.size(); ++k) expect_same_bits(early[k], late[k]);
      steps_exact += static_cast<int64_t>(exact.rows_per_step.size());
      steps_never += static_cast<int64_t>(never.rows_per_step.size());
    }
  EXPECT_LT(steps_exact, steps_never * 3 / 4) << "it does not stop early at all";
}

}  // namespace
}  // namespace lookback::decode
