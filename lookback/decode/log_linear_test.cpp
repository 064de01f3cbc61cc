#include "lookback/decode/log_linear.h"

#include "lookback/decode/ctc_prefix.h"
#include "lookback/decode/ctc_testing.h"
#include "lookback/decode/ensemble.h"
#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();
const std::vector<FakeSentence> kSentences = {{11, 3}, {12, 7}, {13, 1}, {14, 5}};

// A language model with a vocabulary of its own: 0 bos, 1 eos, 2 unknown, and tokens 3 and 4, which are 5 and 4 there.
FakeModel small_model() {
  FakeModel model;
  model.V = 5;
  return model;
}
const std::vector<int32_t> kTokenOf = {2, 0, 1, -1, 4, 3};
constexpr double kFloor = -3;

Term fake_term(const FakeModel& model, double weight, std::vector<FakeSentence> sentences = kSentences,
               int64_t together = -1) {
  Term term{std::make_unique<FakeDecoder>(model, std::move(sentences), model.V == 6, together), weight};
  if (model.V == 5) term.token_of = kTokenOf, term.floor = kFloor, term.unknown = 2;
  return term;
}

LogLinear two_models(double a, double b, std::vector<FakeSentence> sentences = kSentences, int64_t together = -1) {
  std::vector<Term> terms;
  terms.push_back(fake_term({}, a, sentences, together));
  terms.push_back(fake_term(small_model(), b, sentences, together));
  return LogLinear(std::move(terms));
}

// The same sum by hand; history begins with bos.
std::vector<double> by_hand(double a, double b, uint64_t key, const std::vector<int32_t>& history) {
  std::vector<int32_t> own;
  for (const int32_t token : history) {
    const int32_t t = kTokenOf[static_cast<size_t>(token)];
    own.push_back(t < 0 ? 2 : t);
  }
  const auto first = log_softmax(FakeModel().logits(key, history)),
             second = log_softmax(small_model().logits(key, own));
  std::vector<double> out;
  for (size_t c = 0; c < first.size(); ++c) {
    const int32_t t = kTokenOf[c];
    out.push_back(a * first[c] + b * (t < 0 ? kFloor : std::max(kFloor, second[static_cast<size_t>(t)])));
  }
  return out;
}

TEST(LogLinear, IsTheWeightedSum) {
  LogLinear sum = two_models(0.7, 0.4);
  EXPECT_EQ(sum.vocabulary(), 6);
  std::vector<std::vector<int32_t>> histories(4);
  for (const std::vector<int32_t>& fed : {std::vector{1, 1, 1, 1}, {5, 4, 3, 0}, {4, 5, 5, 4}}) {
    const StepOutput out = sum.step(fed, 1);
    EXPECT_TRUE(out.log_probs);
    EXPECT_EQ(out.weights.shape(), (Shape{4, 7}));
    for (size_t n = 0; n < 4; ++n) {
      histories[n].push_back(fed[n]);
      const auto want = by_hand(0.7, 0.4, kSentences[n].key, histories[n]);
      for (size_t c = 0; c < 6; ++c) EXPECT_NEAR(out.logits.data<float>()[n * 6 + c], want[c], 2e-6) << n << " " << c;
    }
  }
}

TEST(LogLinear, WithoutAFloorWhatOneHasNotIsImpossible) {
  std::vector<Term> terms;
  terms.push_back(fake_term({}, 1));
  terms.push_back(fake_term(small_model(), 0.5));
  terms[1].floor = kImpossible;
  LogLinear sum(std::move(terms));
  const StepOutput out = sum.step(std::vector<int32_t>{1, 1, 1, 1});
  EXPECT_EQ(out.logits.data<float>()[3], kImpossible);
  EXPECT_GT(out.logits.data<float>()[4], -50);
}

TEST(LogLinear, ATermOfWeightZeroChangesNothing) {
  FakeModel odd = small_model();
  odd.edit = [](uint64_t, const auto&, std::vector<float>& logits) { logits[4] = -INFINITY; };
  std::vector<Term> terms;
  terms.push_back(fake_term({}, 1));
  terms.push_back(fake_term(odd, 0));
  terms[1].floor = kImpossible;
  LogLinear sum(std::move(terms));
  FakeDecoder one({}, kSentences);
  for (const SearchOptions& o : {beam_of(1), beam_of(4, 2)}) {
    LogLinear s = two_models(1, 0);
    FakeDecoder d({}, kSentences);
    const auto a = search(s, sources_of(kSentences), o), b = search(d, sources_of(kSentences), o);
    for (size_t n = 0; n < a.size(); ++n) {
      EXPECT_EQ(a[n][0].tokens, b[n][0].tokens);
      EXPECT_NEAR(a[n][0].log_prob, b[n][0].log_prob, 1e-5);
      EXPECT_EQ(a[n][0].alignment.shape(), b[n][0].alignment.shape());
    }
  }
  const StepOutput a = sum.step(std::vector<int32_t>{1, 1, 1, 1}), b = one.step(std::vector<int32_t>{1, 1, 1, 1}, 0);
  for (int64_t n = 0; n < 4; ++n) {
    const auto want = log_softmax({b.logits.data<float>() + n * 6, b.logits.data<float>() + n * 6 + 6});
    for (size_t c = 0; c < 6; ++c) EXPECT_NEAR(a.logits.data<float>()[n * 6 + static_cast<int64_t>(c)], want[c], 1e-6);
  }
}

struct Output {
  std::vector<int32_t> tokens;
  double log_prob, score;
};

// All outputs of up to 4 tokens, the best first.
std::vector<Output> everything(double a, double b, uint64_t key, const SearchOptions& o) {
  std::vector<Output> out;
  const std::function<void(std::vector<int32_t>, double)> walk = [&](std::vector<int32_t> history, double log_prob) {
    const auto scores = by_hand(a, b, key, history);
    const std::vector<int32_t> tokens(history.begin() + 1, history.end());
    const double total = log_prob + scores[2], steps = static_cast<double>(history.size());
    out.push_back({tokens, total, total / (o.length_norm == "average" ? std::pow(steps, o.length_penalty) : 1)});
    if (std::ssize(tokens) == o.max_length) return;
    for (const int32_t c : {0, 4, 5}) {
      history.push_back(c);
      walk(history, log_prob + scores[static_cast<size_t>(c)]);
      history.pop_back();
    }
  };
  walk({1}, 0);
  std::stable_sort(out.begin(), out.end(), [](const Output& x, const Output& y) { return x.score > y.score; });
  return out;
}

TEST(LogLinear, AWideBeamFindsTheBestOfAll) {
  for (const std::string norm : {"none", "average"})
    for (const std::string stop : {"exact", "never"})
      for (uint64_t key = 1; key <= 12; ++key) {
        SearchOptions o = beam_of(300, 6);
        o.max_length = 4, o.length_norm = norm, o.stop = stop;
        const double a = 0.1 + 0.2 * static_cast<double>(key % 6), b = 1.5 - a;
        LogLinear sum = two_models(a, b, {{key, 3}});
        const auto found = search(sum, {{.key = key}}, o)[0];
        const auto want = everything(a, b, key, o);
        ASSERT_EQ(found.size(), 6U);
        for (size_t k = 0; k < found.size(); ++k) {
          EXPECT_EQ(found[k].tokens, want[k].tokens) << key << " " << k;
          EXPECT_NEAR(found[k].score, want[k].score, 1e-5);
          EXPECT_NEAR(found[k].log_prob, want[k].log_prob, 1e-5);
        }
      }
}

TEST(LogLinear, ExactStopLosesNothing) {
  for (uint64_t key = 1; key <= 40; ++key) {
    SearchOptions o = beam_of(2 + static_cast<int64_t>(key % 4), 1 + static_cast<int64_t>(key % 2));
    o.max_length = 9;
    if (key % 3 == 0) o.length_norm = "none";
    if (key % 5 == 0) o.repetition_penalty = key % 2 ? 1.6 : 0.7;
    LogLinear a = two_models(0.8, 0.6, {{key, 3}}), b = two_models(0.8, 0.6, {{key, 3}});
    const auto early = search(a, {{.source_length = 3}}, o)[0];
    o.stop = "never";
    const auto late = search(b, {{.source_length = 3}}, o)[0];
    ASSERT_EQ(early.size(), late.size());
    for (size_t k = 0; k < early.size(); ++k) expect_same_bits(early[k], late[k]);
  }
}

TEST(LogLinear, GreedyWithAndWithoutScoresTakesTheBest) {
  for (uint64_t key = 1; key <= 20; ++key) {
    SearchOptions o = beam_of(1);
    std::vector<int32_t> history = {1}, want;
    double total = 0;
    while (true) {
      auto scores = by_hand(0.6, 0.9, key, history);
      scores[1] = scores[3] = kImpossible;
      if (std::ssize(history) > o.max_length) scores[0] = scores[4] = scores[5] = kImpossible;
      const auto c = static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
      total += scores[static_cast<size_t>(c)];
      if (c == 2) break;
      want.push_back(c), history.push_back(c);
    }
    for (const bool scores : {true, false}) {
      o.scores = scores;
      LogLinear sum = two_models(0.6, 0.9, {{key, 3}});
      const auto found = search(sum, {{.key = key}}, o)[0][0];
      if (std::ssize(want) < o.max_length) {
        EXPECT_EQ(found.tokens, want);
        EXPECT_TRUE(scores ? std::abs(found.log_prob - total) < 1e-5 : std::isnan(found.log_prob));
      }
    }
  }
}

TEST(LogLinear, DrawsAreInProportionAndSayTheirScore) {
  SearchOptions o = beam_of(1, 4000);
  o.sample = true, o.max_length = 3;
  LogLinear sum = two_models(1.2, 0.8, {{5, 3}});
  const auto found = search(sum, {{.key = 5}}, o)[0];
  auto scores = by_hand(1.2, 0.8, 5, {1});
  scores[1] = scores[3] = kImpossible;
  std::vector<double> count(6), p;
  double all = 0;
  for (const double s : scores) p.push_back(std::exp(s)), all += p.back();
  EXPECT_LT(all, 0.9);  // not a distribution
  for (const Hypothesis& h : found) {
    const int32_t first = h.tokens.empty() ? 2 : h.tokens[0];
    ++count[static_cast<size_t>(first)];
    EXPECT_NEAR(h.token_log_probs[0], scores[static_cast<size_t>(first)], 1e-5);
  }
  for (size_t c = 0; c < 6; ++c) EXPECT_NEAR(count[c] / 4000, p[c] / all, 0.04) << c;
}

TEST(LogLinear, ForcedScoresAndScoredOutputsAreSums) {
  const std::vector<std::vector<int32_t>> targets = {{4, 5, 0}, {}, {5, 5}, {0}};
  std::vector<double> want;
  for (size_t n = 0; n < 4; ++n) {
    std::vector<int32_t> history = {1};
    double total = 0;
    for (const int32_t c : targets[n])
      total += by_hand(0.3, 0.5, kSentences[n].key, history)[static_cast<size_t>(c)], history.push_back(c);
    want.push_back(total + by_hand(0.3, 0.5, kSentences[n].key, history)[2]);
  }
  LogLinear sum = two_models(0.3, 0.5);
  const auto scored = force_score(sum, sources_of(kSentences), targets, SearchOptions());
  for (size_t n = 0; n < 4; ++n) {
    EXPECT_NEAR(scored[n].log_prob, want[n], 1e-5);
    LogLinear one = two_models(0.3, 0.5, {kSentences[n]});
    EXPECT_NEAR(score_outputs(one, {targets[n], {4}}, SearchOptions())[0], want[n], 1e-5);
  }
}

TEST(LogLinear, SentencesThatWaitJoinInEveryTerm) {
  for (const SearchOptions& o : {beam_of(1), beam_of(3, 2)}) {
    LogLinear some = two_models(0.5, 0.5, kSentences, 2), all = two_models(0.5, 0.5);
    EXPECT_EQ(some.waiting(), 2);
    const auto a = search(some, sources_of(kSentences), o), b = search(all, sources_of(kSentences), o);
    for (size_t n = 0; n < a.size(); ++n)
      for (size_t k = 0; k < a[n].size(); ++k) expect_same_bits(a[n][k], b[n][k]);
  }
}

// Attention and CTC together: the score of every text is the sum of both log-probabilities.
TEST(LogLinear, WithCtc) {
  const Tensor frames = random_frames(4, 6, 3, {1, 2});
  const Texts texts = all_texts(frames, 3);
  SearchOptions o = beam_of(300, 5);
  o.max_length = 4, o.length_norm = "none";
  std::vector<Term> terms;
  terms.push_back(fake_term({}, 0.7, {{8, 3}}));
  terms.push_back({std::make_unique<CtcPrefixDecoder>(std::vector{frames}, CtcPrefixOptions{.blank = 3}), 0.3});
  LogLinear sum(std::move(terms));
  const auto found = search(sum, {{.source_length = 3}}, o)[0];
  std::vector<std::pair<double, std::vector<int32_t>>> want;
  for (const auto& [text, p] : texts) {
    FakeDecoder decoder({}, {{8, 3}});
    want.emplace_back(-0.7 * force_score(decoder, {{.source_length = 3}}, {text}, o)[0].log_prob - 0.3 * std::log(p),
                      text);
  }
  std::sort(want.begin(), want.end());
  ASSERT_EQ(found.size(), 5U);
  for (size_t k = 0; k < 5; ++k) {
    EXPECT_EQ(found[k].tokens, want[k].second);
    EXPECT_NEAR(found[k].score, -want[k].first, 1e-5);
    EXPECT_EQ(found[k].alignment.dim(1), 3);
  }
}

// Scores as given: `logits` for every row.
struct Fixed final : StepDecoder {
  explicit Fixed(std::vector<float> scores, bool log_probs = true)
      : scores_(std::move(scores)), log_probs_(log_probs) {}
  StepOutput step(std::span<const int32_t> tokens, int64_t) override {
    StepOutput out{Tensor({std::ssize(tokens), vocabulary()})};
    out.log_probs = log_probs_;
    for (int64_t n = 0; n < std::ssize(tokens); ++n)
      std::copy(scores_.begin(), scores_.end(), out.logits.data<float>() + n * vocabulary());
    return out;
  }
  void reorder(std::span<const int32_t>) override {}
  int64_t vocabulary() const override { return std::ssize(scores_); }

 private:
  std::vector<float> scores_;
  bool log_probs_;
};

TEST(LogProbs, AreNeverNormalised) {
  const std::vector<float> scores = {-5, -6, -2, -6, -3, -4};
  for (const double penalty : {1.0, 2.0}) {
    SearchOptions o = beam_of(3, 3);
    o.length_norm = "none", o.repetition_penalty = penalty;
    Fixed decoder(scores);
    const auto found = search(decoder, {{.context = {4, 4}}}, o)[0];
    EXPECT_NEAR(found[0].score, -2, 1e-12);
    EXPECT_EQ(found[1].tokens, (std::vector<int32_t>{penalty == 1.0 ? 4 : 5}));
    EXPECT_NEAR(found[1].score, penalty == 1.0 ? -5 : -6, 1e-12);
    EXPECT_NEAR(found[1].log_prob, penalty == 1.0 ? -5 : -6, 1e-12);
  }
}

TEST(LogProbs, InAnEnsembleToo) {
  const std::vector<float> scores = {-5, -6, -2, -6, -3, -4};
  for (const auto mean : {EnsembleMean::probabilities, EnsembleMean::log_probabilities}) {
    std::vector<std::unique_ptr<StepDecoder>> two;
    two.push_back(std::make_unique<Fixed>(scores));
    two.push_back(std::make_unique<Fixed>(std::vector<float>(6, 1), false));
    Ensemble both(std::move(two), mean);
    const StepOutput out = both.step(std::vector<int32_t>{1}, 0);
    EXPECT_TRUE(out.log_probs);
    for (size_t c = 0; c < 6; ++c) {
      const double a = static_cast<double>(scores[c]), b = -std::log(6.0);
      EXPECT_NEAR(out.logits.data<float>()[c],
                  mean == EnsembleMean::probabilities ? std::log((std::exp(a) + std::exp(b)) / 2) : (a + b) / 2, 1e-6);
    }
  }
}

TEST(LogProbs, AboveZeroIsAnError) {
  for (const SearchOptions& o : {beam_of(1), beam_of(3)}) {
    Fixed decoder({-5, -6, -2, -6, 0.5, -4});
    EXPECT_THROW(search(decoder, {{}}, o), NumericError);
  }
  Fixed decoder({-5, -6, -2, -6, 0.5, -4});
  EXPECT_THROW(force_score(decoder, {{}}, {{4}}, SearchOptions()), NumericError);
  EXPECT_THROW(score_outputs(decoder, {{4}}, SearchOptions()), NumericError);
  std::vector<Term> terms;
  terms.push_back({std::make_unique<Fixed>(std::vector<float>{-5, -6, -2, -6, 0.5, -4})});
  LogLinear sum(std::move(terms));
  EXPECT_THROW(search(sum, {{}}, SearchOptions()), NumericError);
}

TEST(LogLinear, WhatDoesNotFitIsRefused) {
  EXPECT_THROW(LogLinear({}), ConfigError);
  const auto refused = [](auto&& change) {
    std::vector<Term> terms;
    terms.push_back(fake_term({}, 1));
    terms.push_back(fake_term(small_model(), 1));
    change(terms);
    EXPECT_THROW(LogLinear(std::move(terms)), ConfigError);
  };
  refused([](auto& t) { t[1].weight = -0.1; });
  refused([](auto& t) { t[1].weight = INFINITY; });
  refused([](auto& t) { t[0].weight = NAN; });
  refused([](auto& t) { t[1].token_of.clear(); });
  refused([](auto& t) { t[1].token_of.pop_back(); });
  refused([](auto& t) { t[1].token_of[4] = 5; });
  refused([](auto& t) { t[1].token_of[4] = -2; });
  refused([](auto& t) { t[1].floor = 0.1; });
  refused([](auto& t) { t[1].floor = NAN; });
  refused([](auto& t) { t[1].unknown = 5; });
  refused([](auto& t) { t[0].token_of = {0, 1, 2, 3, 4, 5}; });
  refused([](auto& t) { t[1] = fake_term(small_model(), 1, kSentences, 2); });
}

}  // namespace
}  // namespace lookback::decode
