#include "lookback/models/labeller.h"

#include <cmath>
#include <numeric>

#include "lookback/base/parallel.h"
#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::same_bits;

constexpr int64_t kVocabulary = 50, kCharacters = 9, kTags = 3;
constexpr Labeller::Sizes kSizes{kVocabulary, kCharacters, kTags};
const StringList kNames = {"B", "I", "O"};

// Ways to build one that differ in what they look at.
std::vector<LabellerOptions> kinds() {
  LabellerOptions plain{.encoder = {.hidden = 9}, .front = {.embedding = 11}, .dropout = {.rate = 0.3, .words = 0.1}};
  std::vector<LabellerOptions> out{plain, plain, plain, plain, plain, plain};
  out[1].crf = false;
  out[2].front.spelling = {.characters = {.kind = "lstm", .embedding = 5, .hidden = 4}, .capitals = 3};
  out[2].encoder = {.blocks = {{.kind = "self_attention", .heads = 1},
                               {.kind = "convolution", .hidden = 13},
                               {.kind = "bigru", .hidden = 6}}};
  out[3].forbid = "bio";
  out[4].unit = "text", out[4].pooling = {.kind = "dot", .also = {"last", "max"}, .hops = 3};
  out[4].texts.encoder = {.cell = "gru", .hidden = 5};
  out[4].front.spelling.characters = {.kind = "convolution", .embedding = 5, .hidden = 4};
  out[5].unit = "text", out[5].texts.alone = true, out[5].crf = false;
  return out;
}

Labeller model_of(const LabellerOptions& o) {
  return Labeller(o, kSizes, tag_rules(data::parse_tag_scheme(o.forbid), kNames), 1);
}

// Texts of up to `longest` tokens, now and then an empty one. Tags that BIO allows: token 3n begins a span, 3n + 1 goes
// on with it where one is open, and of a sequence of texts, the first token of each says its tag.
LabellerBatch random_texts(const LabellerOptions& o, int64_t count, int64_t longest, uint64_t seed = 1) {
  LabellerBatch out;
  Rng rng(seed);
  for (int64_t k = 0; k < count; ++k) {
    std::vector<int32_t> text(rng.below(static_cast<uint64_t>(longest) + 1));
    for (int32_t& id : text) id = static_cast<int32_t>(4 + rng.below(kVocabulary - 4));
    testing::add_text(out.texts, text, kCharacters, true);
    auto& tags = out.tags.emplace_back();
    bool open = false;
    const auto tag_of = [&](int32_t id) {
      const int32_t tag = id % 3 == 1 && !open ? 2 : id % 3;
      open = tag < 2;
      return tag;
    };
    size_t at = 0;
    if (!o.of_texts())
      for (const int32_t id : text) tags.push_back(tag_of(id));
    else
      for (const int64_t n : out.texts.parts.back()) tags.push_back(n == 0 ? 2 : tag_of(text[at])), at += n;
  }
  return out;
}

TEST(Labeller, ATextScoresAsItDoesAlone) {
  for (const LabellerOptions& o : kinds()) {
    const LabellerBatch batch = random_texts(o, 9, 12);
    const Labeller model = model_of(o);
    const auto all = model.score(batch.texts);
    double nll = 0;
    std::vector<Tensor> emissions;
    for (size_t k = 0; k < batch.tags.size(); ++k) {
      const auto one = model.score(testing::only(batch.texts, k))[0];
      ASSERT_EQ(all[k].emissions.shape(), (Shape{std::ssize(batch.tags[k]), kTags}));
      EXPECT_TRUE(same_bits(one.emissions, all[k].emissions)) << k;
      emissions.push_back(one.emissions);
      ASSERT_EQ(one.weights.size(), o.of_texts() && o.pooling.has_attention() ? batch.texts.parts[k].size() : 0);
      for (size_t i = 0; i < one.weights.size(); ++i) {
        EXPECT_TRUE(same_bits(one.weights[i], all[k].weights[i]));
        const int64_t n = batch.texts.parts[k][i];
        if (n == 0) continue;
        ASSERT_EQ(one.weights[i].shape(), (Shape{o.pooling.hops, n}));
        const auto w = one.weights[i].span<float>();
        EXPECT_NEAR(std::accumulate(w.begin(), w.end(), 0.0), static_cast<double>(o.pooling.hops), 1e-5);
      }
      if (!batch.tags[k].empty())
        nll += model.loss({testing::only(batch.texts, k), {batch.tags[k]}}, {}, 1, nullptr).nll_sum;
    }
    const auto loss = model.loss(batch, {}, 1, nullptr);
    EXPECT_NEAR(loss.nll_sum, nll, 1e-12 * nll);
    // What prediction chooses is what the loss counts, and its probability is the loss's where all is right.
    const auto best = best_tags(emissions, model.transitions(), true);
    int64_t correct = 0;
    double gold = 0;
    for (size_t k = 0; k < best.size(); ++k) {
      ASSERT_EQ(best[k].tags.size(), batch.tags[k].size());
      for (size_t n = 0; n < best[k].tags.size(); ++n) correct += best[k].tags[n] == batch.tags[k][n];
      if (!best[k].tags.empty())
        gold += model.loss({testing::only(batch.texts, k), {best[k].tags}}, {}, 1, nullptr).nll_sum + best[k].log_prob;
      for (int64_t n = 0; n < std::ssize(best[k].tags); ++n) {
        const auto row = best[k].probabilities.rows(n, n + 1).span<float>();
        EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1, 1e-5);
      }
    }
    EXPECT_EQ(correct, loss.correct);
    EXPECT_NEAR(gold, 0, 1e-4);
  }
}

TEST(Labeller, OneAndTwoThreadsTrainTheSameWeights) {
  for (const LabellerOptions& o : kinds()) {
    const LabellerBatch batch = random_texts(o, 30, 20);
    const auto gradients = [&](int threads) {
      const ThreadScope scope(threads);
      Labeller model = model_of(o);
      Noise noise{3, 5};
      backward(model.loss(batch, {.smoothing = o.crf ? 0 : 0.1}, 1, &noise).loss);
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

TEST(Labeller, EveryKindLearnsItsTags) {
  for (const LabellerOptions& o : kinds()) {
    const LabellerBatch batch = random_texts(o, 60, 9, 2);
    int64_t tags = 0;
    for (const auto& t : batch.tags) tags += std::ssize(t);
    Labeller model = model_of(o);
    const auto params = params_of(model);
    for (int step = 0; step < 200; ++step) {
      backward(model.loss(batch, {}, 4.0 / static_cast<double>(tags), nullptr).loss);
      for (const NamedVar& p : params) {
        const auto g = p.var.grad().span<float>();
        for (size_t i = 0; i < g.size(); ++i) p.var.value().span<float>()[i] -= 0.25f * g[i];
        p.var.touch(), p.var.clear_grad();
      }
    }
    EXPECT_GT(static_cast<double>(model.loss(batch, {}, 1, nullptr).correct), 0.93 * static_cast<double>(tags))
        << o.unit << o.crf << o.encoder.blocks.size();
  }
}

// Whatever the scores say, with a CRF and without.
TEST(Labeller, NeverChoosesWhatIsForbidden) {
  for (const bool crf : {true, false}) {
    LabellerOptions o = kinds()[3];
    o.crf = crf;
    Labeller model = model_of(o);
    const LabellerBatch batch = random_texts(o, 40, 12, 5);
    for (const NamedVar& p : params_of(model))
      if (p.name == "output.bias") p.var.value().data<float>()[1] = 50, p.var.touch();  // I, wherever it may stand
    std::vector<Tensor> emissions;
    for (const auto& s : model.score(batch.texts)) emissions.push_back(s.emissions);
    for (const auto& best : best_tags(emissions, model.transitions(), true)) {
      if (best.tags.size() < 2) continue;  // of one token B or O is as good
      EXPECT_EQ(best.tags[0], 0);
      EXPECT_EQ(best.probabilities.data<float>()[1], 0);
      for (size_t t = 1; t < best.tags.size(); ++t) EXPECT_EQ(best.tags[t], 1);
    }
  }
}

TEST(Labeller, WhatDoesNotGoTogetherIsNamed) {
  const auto said = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  };
  const auto built = [&](const LabellerOptions& o) { return said([&] { Labeller(o, {5, 0, 2}, {}, 1); }); };
  EXPECT_EQ(built({.pooling = {.kind = "max"}}),
            "model.pooling.kind = \"max\" has no meaning without model.unit = 'text'");
  EXPECT_EQ(built({.texts = {.alone = true}}), "model.texts.alone = true has no meaning without model.unit = 'text'");
  EXPECT_EQ(built({.unit = "text", .texts = {.alone = true, .encoder = {.hidden = 3}}}), "");
  EXPECT_EQ(built({.encoder = {.blocks = {{.kind = "pyramid"}}}}),
            "model.encoder: a block makes one row of 2, and each has a tag of its own; take blocks without stride and "
            "pyramid");
  EXPECT_EQ(built({.unit = "text", .encoder = {.blocks = {{.kind = "pyramid"}}}, .pooling = {.kind = "mean"}}), "");
  EXPECT_EQ(said([] { LabellerObjective{.smoothing = 0.1}.check_with({}); }),
            "loss.smoothing = 0.1 is of tags that are chosen each alone: set model.crf = false");
  EXPECT_EQ(said([] {
              tag_rules(data::TagScheme::bioes, {"B-X", "E-X"});
            }),
            "model.forbid: none of the tags B-X, E-X may be all of a sequence; set model.forbid = \"none\"");
  const Labeller model({}, {5, 0, 2}, {}, 1);
  const auto loss = [&](Sentences texts, Sentences tags) {
    model.loss({{std::move(texts)}, std::move(tags)}, {}, 1, nullptr);
  };
  EXPECT_THROW(loss({{1}}, {{2}}), ShapeError);
  EXPECT_THROW(loss({{5}}, {{1}}), ShapeError);
  EXPECT_THROW(loss({{1}}, {}), ShapeError);
  EXPECT_THROW(loss({{1}}, {{0, 1}}), ShapeError);
  loss({{1}, {}}, {{1}, {}});
  const Labeller turns({.unit = "text"}, {5, 0, 2}, {}, 1);
  EXPECT_THROW(turns.score({.tokens = {{1, 2}}, .parts = {{1}}}), ShapeError);
  EXPECT_EQ(turns.score({.tokens = {{}, {}}, .parts = {{0}, {}}})[0].emissions.shape(), (Shape{1, 2}));
}

}  // namespace
}  // namespace lookback
