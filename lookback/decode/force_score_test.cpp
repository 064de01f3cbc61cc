#include <gtest/gtest.h>

#include <limits>

#include "lookback/decode/ensemble.h"
#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(ForceScore, SumOfLogSoftmax) {
  const FakeModel model;
  const std::vector<FakeSentence> sentences = {{3, 2}, {4, 5}, {5, 1}, {6, 3}};
  const std::vector<std::vector<int32_t>> targets = {{4, 5, 5, 0}, {}, {5}, {3, 1, 4}};  // specials may be scored
  FakeDecoder decoder(model, sentences);
  const auto scored = force_score(decoder, sources_of(sentences), targets);
  for (size_t b = 0; b < targets.size(); ++b) {
    std::vector<int32_t> history = {1};
    double sum = 0;
    for (size_t u = 0; u <= targets[b].size(); ++u) {
      const int32_t token = u < targets[b].size() ? targets[b][u] : 2;
      const double log_prob = log_softmax(model.logits(sentences[b].key, history))[static_cast<size_t>(token)];
      EXPECT_NEAR(scored[b].token_log_probs[u], log_prob, 1e-6);
      const auto weights = model.weights(sentences[b].key, history, sentences[b].T);
      EXPECT_TRUE(std::equal(weights.begin(), weights.end(),
                             scored[b].alignment.data<float>() + static_cast<int64_t>(u) * sentences[b].T));
      sum += log_prob;
      history.push_back(token);
    }
    EXPECT_EQ(scored[b].tokens, targets[b]);
    EXPECT_TRUE(scored[b].finished);
    EXPECT_NEAR(scored[b].log_prob, sum, 1e-5);
    EXPECT_NEAR(scored[b].score, sum / static_cast<double>(targets[b].size() + 1), 1e-5);
  }
  EXPECT_EQ(decoder.rows_per_step, (std::vector<int64_t>{4, 3, 2, 2, 1}));
}

TEST(ForceScore, WithoutAnEndOfSentence) {
  SearchOptions o;
  o.specials.eos = -1;
  FakeDecoder decoder({}, {{3, 2}, {4, 2}});
  const auto scored = force_score(decoder, {SourceInfo{}, SourceInfo{}}, {{4, 5}, {}}, o);
  EXPECT_EQ(scored[0].token_log_probs.size(), 2u);
  EXPECT_FALSE(scored[0].finished);
  EXPECT_TRUE(scored[1].tokens.empty());
  EXPECT_EQ(scored[1].score, 0);
  EXPECT_EQ(decoder.rows_per_step, (std::vector<int64_t>{1, 1}));
}

TEST(ForceScore, RefusesBadTargetsAndLogits) {
  FakeModel model;
  model.edit = [](uint64_t key, const std::vector<int32_t>&, std::vector<float>& logits) {
    if (key == 4) logits[0] = std::numeric_limits<float>::quiet_NaN();
  };
  const std::vector<FakeSentence> sentences = {{3, 2}, {4, 5}};
  FakeDecoder decoder(model, sentences);
  EXPECT_THROW(force_score(decoder, sources_of(sentences), {{4}}), ShapeError);
  EXPECT_THROW(force_score(decoder, sources_of(sentences), {{4}, {6}}), ConfigError);
  EXPECT_THROW(force_score(decoder, sources_of(sentences), {{4}, {-1}}), ConfigError);
  try {
    force_score(decoder, sources_of(sentences), {{4}, {4}});
    FAIL();
  } catch (const NumericError& e) {
    EXPECT_NE(std::string(e.what()).find("sentence 1, step 0"), std::string::npos) << e.what();
  }
}

TEST(UnknownSources, LargestWeightOfTheStep) {
  Hypothesis h;
  h.tokens = {0, 5, 0, 0};
  h.alignment = Tensor::of<float>({5, 3}, {0.1f, 0.2f, 0.7f, 1, 0, 0, 0.4f, 0.4f, 0.2f, 0, 0, 0, 0, 0, 1});
  const auto found = unknown_sources(h, 0);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_TRUE(found[0].position == 0 && found[0].source == 2);
  EXPECT_TRUE(found[1].position == 2 && found[1].source == 0);   // the first of equals
  EXPECT_TRUE(found[2].position == 3 && found[2].source == -1);  // nothing attended to
  h.alignment = Tensor();
  EXPECT_EQ(unknown_sources(h, 0)[0].source, -1);
  EXPECT_TRUE(unknown_sources(h, 7).empty());
  h.alignment = Tensor::zeros({2, 3});
  EXPECT_THROW(unknown_sources(h, 0), ShapeError);
}

std::vector<std::unique_ptr<StepDecoder>> models_of(const std::vector<FakeModel>& models, FakeSentence sentence) {
  std::vector<std::unique_ptr<StepDecoder>> out;
  for (const FakeModel& m : models)
    out.push_back(std::make_unique<FakeDecoder>(m, std::vector<FakeSentence>{sentence}));
  return out;
}

// Three models that differ, and some impossible tokens.
std::vector<FakeModel> three_models() {
  std::vector<FakeModel> out(3);
  for (size_t m = 0; m < 3; ++m) {
    out[m].V = 700;
    out[m].edit = [m](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) {
      for (size_t k = m; k < logits.size(); k += 3) logits[k] += static_cast<float>(m) - 20;
      logits[5] = -kInfinity;
      if (m == 1) logits[6] = -kInfinity;
    };
  }
  return out;
}

TEST(Ensemble, MeansAgreeWithDouble) {
  const auto models = three_models();
  for (const EnsembleMean mean : {EnsembleMean::probabilities, EnsembleMean::log_probabilities}) {
    Ensemble ensemble(models_of(models, {3, 4}), mean);
    const std::vector<int32_t> bos = {1};
    const StepOutput out = ensemble.step(bos, StepDecoder::kAll);
    EXPECT_EQ(out.weights.shape(), (Shape{1, 4}));
    std::vector<double> p(700), log_p(700);
    for (const FakeModel& m : models) {
      const auto log_probs = log_softmax(m.logits(3, {1}));
      for (size_t k = 0; k < 700; ++k) p[k] += std::exp(log_probs[k]) / 3, log_p[k] += log_probs[k] / 3;
    }
    for (size_t k = 0; k < 700; ++k) {
      const double expected = mean == EnsembleMean::probabilities ? std::log(p[k]) : log_p[k];
      const float actual = out.logits.data<float>()[k];
      if (std::isinf(expected))
        EXPECT_EQ(actual, -kInfinity) << k;
      else
        EXPECT_NEAR(static_cast<double>(actual), expected, 4e-6) << k;
    }
  }
}

TEST(Ensemble, OfOneSearchesLikeTheOne) {
  FakeModel model;
  model.V = 30;
  SearchOptions o;
  for (const EnsembleMean mean : {EnsembleMean::probabilities, EnsembleMean::log_probabilities}) {
    Ensemble ensemble(models_of({model}, {3, 4}), mean);
    const auto found = search(ensemble, {{.source_length = 4}}, o)[0][0], alone = search_one(model, {3, 4}, o)[0];
    EXPECT_EQ(found.tokens, alone.tokens);
    EXPECT_NEAR(found.score, alone.score, 1e-5);
    EXPECT_TRUE(std::equal(alone.alignment.span<float>().begin(), alone.alignment.span<float>().end(),
                           found.alignment.span<float>().begin()));
  }
}

TEST(Ensemble, EqualMembersAreOneMember) {
  FakeModel model;
  model.V = 30;
  SearchOptions o;
  o.n_best = 3;
  Ensemble ensemble(models_of({model, model, model}, {3, 4}), EnsembleMean::probabilities);
  const auto found = search(ensemble, {{.source_length = 4}}, o)[0], alone = search_one(model, {3, 4}, o);
  ASSERT_EQ(found.size(), alone.size());
  for (size_t k = 0; k < found.size(); ++k) {
    EXPECT_EQ(found[k].tokens, alone[k].tokens);
    EXPECT_NEAR(found[k].score, alone[k].score, 1e-5);
  }
}

TEST(Ensemble, AttentionOfThoseThatHaveIt) {
  const FakeModel model;
  std::vector<std::unique_ptr<StepDecoder>> mixed;
  for (const bool attention : {false, true})
    mixed.push_back(std::make_unique<FakeDecoder>(model, std::vector<FakeSentence>{{3, 4}}, attention));
  Ensemble ensemble(std::move(mixed), EnsembleMean::probabilities);
  const std::vector<int32_t> bos = {1};
  const auto weights = ensemble.step(bos, StepDecoder::kAll).weights;
  const auto expected = model.weights(3, {1}, 4);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), weights.data<float>()));
}

TEST(Ensemble, RefusesWhatCannotBeAveraged) {
  FakeModel small, large;
  large.V = 7;
  EXPECT_THROW(Ensemble({}, EnsembleMean::probabilities), ConfigError);
  EXPECT_THROW(Ensemble(models_of({small, large}, {3, 4}), EnsembleMean::probabilities), ConfigError);
  auto narrow = models_of({small}, {3, 4});
  narrow.push_back(std::make_unique<FakeDecoder>(small, std::vector<FakeSentence>{{3, 5}}));
  Ensemble uneven(std::move(narrow), EnsembleMean::probabilities);
  const std::vector<int32_t> bos = {1};
  EXPECT_THROW(uneven.step(bos, StepDecoder::kAll), ShapeError);

  FakeModel bad;
  bad.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[4] = kInfinity; };
  Ensemble broken(models_of({small, bad}, {3, 4}), EnsembleMean::log_probabilities);
  EXPECT_THROW(search(broken, {{.source_length = 4}}, {}), NumericError);
}

}  // namespace
}  // namespace lookback::decode
