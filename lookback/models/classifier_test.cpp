#include "lookback/models/classifier.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/parallel.h"
#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::same_bits;

constexpr int64_t kVocabulary = 50, kCharacters = 9, kClasses = 3;
constexpr Classifier::Sizes kSizes{kVocabulary, kCharacters, kClasses};

// Ways to build one that differ in what they look at.
std::vector<ClassifierOptions> kinds() {
  std::vector<ClassifierOptions> out;
  for (const PoolingOptions& pooling : {PoolingOptions{.kind = "last"},
                                        {.kind = "mean"},
                                        {.kind = "max"},
                                        {.kind = "additive"},
                                        {.kind = "dot", .also = {"last", "max"}, .hops = 3}})
    out.push_back({.encoder = {.hidden = 9},
                   .pooling = pooling,
                   .front = {.embedding = 11},
                   .dropout = {.rate = 0.3, .words = 0.1}});
  ClassifierOptions blocks = out[3];
  blocks.encoder = {
      .blocks = {{.kind = "convolution", .hidden = 13}, {.kind = "pyramid"}, {.kind = "bigru", .hidden = 6}}};
  out.push_back(blocks);
  ClassifierOptions letters = out[3];
  letters.front.spelling.characters = {.kind = "lstm", .embedding = 5, .hidden = 4};
  letters.front.spelling.capitals = 3;
  out.push_back(letters);
  ClassifierOptions documents = out[4];
  documents.front.spelling.characters = {.kind = "convolution", .embedding = 5, .hidden = 4};
  documents.hierarchical = true;
  documents.sentences = {.encoder = {.cell = "gru", .hidden = 5}, .pooling = {.kind = "additive", .hops = 2}};
  out.push_back(documents);
  return out;
}

// Texts of up to `longest` tokens, now and then an empty one; the class is that of the sum of their ids.
ClassifierBatch random_texts(int64_t count, int64_t longest, uint64_t seed = 1) {
  ClassifierBatch out;
  Rng rng(seed);
  for (int64_t k = 0; k < count; ++k) {
    std::vector<int32_t> text(rng.below(static_cast<uint64_t>(longest) + 1));
    for (int32_t& id : text) id = static_cast<int32_t>(4 + rng.below(kVocabulary - 4));
    out.labels.push_back({static_cast<int32_t>(std::accumulate(text.begin(), text.end(), 0) % kClasses)});
    testing::add_text(out.texts, std::move(text), kCharacters);
  }
  return out;
}

TEST(Classifier, ATextScoresAsItDoesAlone) {
  const ClassifierBatch batch = random_texts(9, 12);
  for (const ClassifierOptions& o : kinds()) {
    const Classifier model(o, kSizes, 1);
    const auto all = model.score(batch.texts);
    double nll = 0;
    for (size_t k = 0; k < batch.labels.size(); ++k) {
      const auto one = model.score(testing::only(batch.texts, k))[0];
      const auto tokens = batch.texts.tokens[k].size();
      EXPECT_EQ(one.logits, all[k].logits) << o.pooling.kind;
      EXPECT_EQ(one.weights.empty(), !o.pooling.has_attention() || tokens == 0);
      EXPECT_EQ(one.sentence_weights.empty(), !o.hierarchical || tokens == 0);
      nll += model.loss({testing::only(batch.texts, k), {batch.labels[k]}}, {}, 1, nullptr).nll_sum;
      if (!one.sentence_weights.empty()) {
        const Shape shape{2, std::ssize(batch.texts.parts[k])};
        ASSERT_EQ(one.sentence_weights.shape(), shape);
        EXPECT_TRUE(same_bits(one.sentence_weights, all[k].sentence_weights));
      }
      if (one.weights.empty()) continue;
      ASSERT_EQ(one.weights.shape(), (Shape{o.pooling.hops, static_cast<int64_t>(tokens)}));
      for (int64_t hop = 0; hop < o.pooling.hops; ++hop) {
        const auto row = one.weights.rows(hop, hop + 1);
        const auto parts = o.hierarchical ? static_cast<double>(batch.texts.parts[k].size()) : 1.0;
        EXPECT_NEAR(std::accumulate(row.span<float>().begin(), row.span<float>().end(), 0.0), parts, 1e-5 * parts);
        for (int64_t t = 0; t < row.dim(1); ++t)
          EXPECT_EQ(row.data<float>()[t], all[k].weights.data<float>()[hop * all[k].weights.dim(1) + t]);
      }
    }
    EXPECT_NEAR(model.loss(batch, {}, 1, nullptr).nll_sum, nll, 1e-12 * nll);
  }
}

TEST(Classifier, OneAndTwoThreadsTrainTheSameWeights) {
  const ClassifierBatch batch = random_texts(30, 20);
  for (const ClassifierOptions& o : kinds()) {
    const auto gradients = [&](int threads) {
      const ThreadScope scope(threads);
      Classifier model(o, kSizes, 1);
      Noise noise{3, 5};
      backward(model.loss(batch, {.smoothing = 0.1, .penalty = o.pooling.has_attention() ? 0.3 : 0}, 1, &noise).loss);
      std::vector<Tensor> out;
      for (const NamedVar& p : params_of(model)) {
        EXPECT_FALSE(p.var.grad().empty()) << p.name;
        out.push_back(p.var.grad());
      }
      return out;
    };
    const auto one = gradients(1), two = gradients(2);
    for (size_t k = 0; k < one.size(); ++k) EXPECT_TRUE(same_bits(one[k], two[k])) << k;
  }
}

// Which of three words a text holds, among others: a few steps of plain gradient descent find it.
TEST(Classifier, EveryKindLearnsAWord) {
  for (const ClassifierOptions& o : kinds()) {
    ClassifierBatch batch;
    Rng rng(2);
    for (int32_t k = 0; k < 60; ++k) {
      std::vector<int32_t> text;
      for (uint64_t n = 2 + rng.below(4); n > 0; --n) text.push_back(static_cast<int32_t>(10 + rng.below(30)));
      text[rng.below(text.size())] = 4 + k % kClasses;
      testing::add_text(batch.texts, text, kCharacters), batch.labels.push_back({static_cast<int32_t>(k % kClasses)});
    }
    Classifier model(o, kSizes, 1);
    const auto params = params_of(model);
    for (int step = 0; step < 150; ++step) {
      backward(model.loss(batch, {}, 1.0 / 60, nullptr).loss);
      for (const NamedVar& p : params) {
        const auto g = p.var.grad().span<float>();
        for (size_t i = 0; i < g.size(); ++i) p.var.value().span<float>()[i] -= 0.5f * g[i];
        p.var.touch(), p.var.clear_grad();
      }
    }
    EXPECT_GT(model.loss(batch, {}, 1, nullptr).correct, 55) << o.pooling.kind << o.encoder.blocks.size();
  }
}

TEST(Classifier, WhatDoesNotGoTogetherIsNamed) {
  const auto said = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(said([] {
              Classifier({.pooling = {.kind = "mean", .hops = 2}}, {5, 0, 2}, 1);
            }),
            "model.pooling.hops = 2 needs attention, and model.pooling.kind is 'mean'");
  EXPECT_EQ(said([] {
              Classifier({.pooling = {.kind = "mean", .also = {"max", "mean"}}}, {5, 0, 2}, 1);
            }),
            "model.pooling.also: 'mean' is there twice");
  EXPECT_EQ(said([] {
              Classifier({.pooling = {.also = {"dot"}}}, {5, 0, 2}, 1);
            }),
            "model.pooling.also: 'dot' is none of last, mean and max");
  EXPECT_EQ(said([] { ClassifierObjective{.penalty = 1}.check_with({.pooling = {.kind = "max"}}); }),
            "loss.penalty = 1 needs attention, and model.pooling.kind is 'max'");
  EXPECT_EQ(said([] {
              Classifier({.sentences = {.encoder = {.hidden = 3}}}, {5, 0, 2}, 1);
            }),
            "model.sentences.encoder.hidden = 3 has no meaning without model.hierarchical = true");
  EXPECT_EQ(
      said([] {
        Classifier({.hierarchical = true, .sentences = {.encoder = {.cell = "gru", .blocks = {{}}}}}, {5, 0, 2}, 1);
      }),
      "model.sentences.encoder.cell = \"gru\" does not go with model.sentences.encoder.blocks, which say what the "
      "encoder is");
  EXPECT_EQ(said([] {
              Classifier({.front = {.spelling = {.characters = {.kind = "lstm", .kernel = 5}}}}, {5, 4, 2}, 1);
            }),
            "model.characters.kernel = 5 is of kind 'convolution'; this is 'lstm'");
  const Classifier model({}, {5, 0, 2}, 1);
  const auto loss = [&](Sentences texts, Sentences labels) {
    model.loss({{std::move(texts)}, std::move(labels)}, {}, 1, nullptr);
  };
  EXPECT_THROW(loss({{1}}, {{2}}), ShapeError);
  EXPECT_THROW(loss({{5}}, {{1}}), ShapeError);
  EXPECT_THROW(loss({{1}}, {}), ShapeError);
  EXPECT_THROW(loss({{1}}, {{0, 1}}), ShapeError);
  EXPECT_THROW(loss({{1}}, {{}}), ShapeError);
  loss({{1}}, {{1}});
  const Classifier letters({.front = {.spelling = {.capitals = 2}}}, {5, 0, 2}, 1);
  EXPECT_THROW(letters.score({.tokens = {{1}}}), ShapeError) << "no spelling";
  EXPECT_THROW(letters.score({.tokens = {{1}}, .spellings = {{7}}}), ShapeError) << "a character before the case";
  EXPECT_THROW(letters.score({.tokens = {{1}}, .spellings = {{1, 2}}}), ShapeError) << "two words for one";
  const Classifier documents({.hierarchical = true}, {5, 0, 2}, 1);
  EXPECT_THROW(documents.score({.tokens = {{1, 2}}, .parts = {{1}}}), ShapeError);
  // Texts without a token, all of them.
  EXPECT_EQ(documents.score({.tokens = {{}, {}}, .parts = {{}, {}}})[0].logits.size(), 2u);
}

// Each label with a probability of its own.
TEST(Classifier, SeveralLabels) {
  for (const ClassifierOptions& o : kinds()) {
    Classifier model(o, {kVocabulary, kCharacters, kClasses, true}, 1);
    ClassifierBatch batch = random_texts(8, 9);
    for (size_t k = 0; k < batch.labels.size(); ++k)
      batch.labels[k] = k % 3 == 0   ? std::vector<int32_t>{}
                        : k % 3 == 1 ? std::vector<int32_t>{1}
                                     : std::vector<int32_t>{0, 2};
    const auto scores = model.score(batch.texts);
    double loss = 0, weighted = 0;
    int64_t correct = 0;
    for (size_t n = 0; n < scores.size(); ++n) {
      bool right = true;
      for (int32_t k = 0; k < kClasses; ++k) {
        const bool has = std::ranges::find(batch.labels[n], k) != batch.labels[n].end();
        const double z = scores[n].logits[static_cast<size_t>(k)], nll = std::log(1 + std::exp(has ? -z : z));
        loss += nll, weighted += has && k == 2 ? 3 * nll : nll;
        right = right && has == (z > 0);
      }
      correct += right;
    }
    const auto plain = model.loss(batch, {}, 1, nullptr);
    EXPECT_NEAR(plain.loss_sum, loss, 1e-6 * loss);
    EXPECT_NEAR(plain.nll_sum, loss, 1e-6 * loss);
    EXPECT_EQ(plain.correct, correct);
    ClassifierObjective objective;
    objective.class_weights = {1, 1, 3};
    EXPECT_NEAR(model.loss(batch, objective, 1, nullptr).loss_sum, weighted, 1e-6 * weighted);
  }
}

TEST(Classifier, AWeightOfAClassIsThatOfItsTexts) {
  const ClassifierBatch batch = random_texts(9, 12);
  const Classifier model(kinds()[3], kSizes, 1);
  ClassifierObjective objective{.smoothing = 0.1};
  objective.class_weights = {0.5, 1, 4};
  double sum = 0;
  for (size_t k = 0; k < batch.labels.size(); ++k)
    sum += objective.class_weights[static_cast<size_t>(batch.labels[k][0])] *
           model.loss({testing::only(batch.texts, k), {batch.labels[k]}}, {.smoothing = 0.1}, 1, nullptr).loss_sum;
  EXPECT_NEAR(model.loss(batch, objective, 1, nullptr).loss_sum, sum, 1e-9 * sum);
}

}  // namespace
}  // namespace lookback
