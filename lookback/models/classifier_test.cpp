#include "lookback/models/classifier.h"

#include <numeric>

#include "lookback/base/parallel.h"
#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::same_bits;

constexpr int64_t kVocabulary = 50, kClasses = 3;

// Ways to build one that differ in what they look at.
std::vector<ClassifierOptions> kinds() {
  std::vector<ClassifierOptions> out;
  for (const PoolingOptions& pooling : {PoolingOptions{.kind = "last"},
                                        {.kind = "mean"},
                                        {.kind = "max"},
                                        {.kind = "additive"},
                                        {.kind = "dot", .hops = 3}})
    out.push_back(
        {.encoder = {.hidden = 9}, .pooling = pooling, .embedding = 11, .dropout = {.rate = 0.3, .words = 0.1}});
  ClassifierOptions blocks = out[3];
  blocks.encoder = {
      .blocks = {{.kind = "convolution", .hidden = 13}, {.kind = "pyramid"}, {.kind = "bigru", .hidden = 6}}};
  out.push_back(blocks);
  return out;
}

// Texts of up to `longest` tokens, now and then an empty one; the class is that of the sum of their ids.
ClassifierBatch random_texts(int64_t count, int64_t longest, uint64_t seed = 1) {
  ClassifierBatch out;
  Rng rng(seed);
  for (int64_t k = 0; k < count; ++k) {
    std::vector<int32_t> text(rng.below(static_cast<uint64_t>(longest) + 1));
    for (int32_t& id : text) id = static_cast<int32_t>(4 + rng.below(kVocabulary - 4));
    out.labels.push_back(std::accumulate(text.begin(), text.end(), 0) % kClasses);
    out.texts.push_back(std::move(text));
  }
  return out;
}

TEST(Classifier, ATextScoresAsItDoesAlone) {
  const ClassifierBatch batch = random_texts(9, 12);
  for (const ClassifierOptions& o : kinds()) {
    const Classifier model(o, kVocabulary, kClasses, 1);
    const auto all = model.score(batch.texts);
    double nll = 0;
    for (size_t k = 0; k < batch.texts.size(); ++k) {
      const auto one = model.score({batch.texts[k]})[0];
      EXPECT_EQ(one.logits, all[k].logits) << o.pooling.kind;
      EXPECT_EQ(one.weights.empty(), !o.pooling.has_attention() || batch.texts[k].empty());
      nll += model.loss({{batch.texts[k]}, {batch.labels[k]}}, {}, 1, nullptr).nll_sum;
      if (one.weights.empty()) continue;
      ASSERT_EQ(one.weights.shape(), (Shape{o.pooling.hops, std::ssize(batch.texts[k])}));
      for (int64_t hop = 0; hop < o.pooling.hops; ++hop) {
        const auto row = one.weights.rows(hop, hop + 1);
        EXPECT_NEAR(std::accumulate(row.span<float>().begin(), row.span<float>().end(), 0.0), 1, 1e-5);
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
      Classifier model(o, kVocabulary, kClasses, 1);
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
      batch.texts.push_back(text), batch.labels.push_back(k % kClasses);
    }
    Classifier model(o, kVocabulary, kClasses, 1);
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
  EXPECT_EQ(said([] { Classifier({.pooling = {.kind = "mean", .hops = 2}}, 5, 2, 1); }),
            "model.pooling.hops = 2 needs attention, and model.pooling.kind is 'mean'");
  EXPECT_EQ(said([] { ClassifierObjective{.penalty = 1}.check_with({.pooling = {.kind = "max"}}); }),
            "loss.penalty = 1 needs attention, and model.pooling.kind is 'max'");
  const Classifier model({}, 5, 2, 1);
  EXPECT_THROW(model.loss({{{1}}, {2}}, {}, 1, nullptr), ShapeError);
  EXPECT_THROW(model.loss({{{5}}, {1}}, {}, 1, nullptr), ShapeError);
  EXPECT_THROW(model.loss({{{1}}, {}}, {}, 1, nullptr), ShapeError);
}

}  // namespace
}  // namespace lookback
