// Language models: gradients, state carried from piece to piece, sessions that go on to the same bits, the cache.
#include "lookback/models/language_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/autograd/grad_check.h"
#include "lookback/base/parallel.h"
#include "lookback/data/vocab.h"
#include "lookback/decode/search.h"
#include "lookback/models/language_session.h"
#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::same_bits;
using Ids = std::vector<int32_t>;

constexpr int64_t kVocabulary = 23;

// Ways to build one that differ in what they remember.
std::vector<LanguageModelOptions> kinds() {
  LanguageModelOptions lstm{
      .embedding = 6,
      .layers = {.hidden = 6},
      .dropout = {.words = 0.2, .embedding = 0.2, .hidden = 0.3, .output = 0.2, .recurrent_weights = 0.3},
      .init = {.kind = "uniform", .scale = 0.5}};
  LanguageModelOptions gru = lstm, wide = lstm, attention = lstm;
  gru.layers = {.cell = "gru", .layers = 1, .hidden = 5, .layer_norm = true};
  gru.tied = false, gru.dropout.locked = false;
  wide.layers.hidden = 7;
  attention.layers = {};
  attention.blocks = {{.kind = "lstm", .hidden = 6},
                      {.kind = "self_attention", .heads = 2, .feed_forward = 5, .causal = true, .window = 4},
                      {.kind = "gru", .hidden = 6, .residual = true},
                      {.kind = "self_attention", .heads = 3, .norm = "after", .causal = true, .window = 1}};
  LanguageModelOptions adaptive = gru;
  adaptive.cutoffs = {"6", "14"}, adaptive.div_value = 2;
  LanguageModelOptions tied_adaptive = wide;
  tied_adaptive.cutoffs = adaptive.cutoffs;
  return {lstm, gru, wide, attention, adaptive, tied_adaptive};
}

Ids random_ids(int64_t count, uint64_t seed) {
  Rng rng(seed);
  Ids out;
  for (int64_t k = 0; k < count; ++k) out.push_back(static_cast<int32_t>(2 + rng.below(kVocabulary - 2)));
  return out;
}

LanguageBatch random_batch(int64_t texts, int64_t steps, uint64_t seed) {
  return {texts, random_ids(texts * steps, seed), random_ids(texts * steps, seed + 1)};
}

Tensor values(const Var& x) { return x.value(); }

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  double out = 0;
  for (int64_t i = 0; i < a.size(); ++i)
    out = std::max(out, std::abs(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i])));
  return out;
}

TEST(LanguageModel, GradientsFlowThroughEveryPart) {
  for (const LanguageModelOptions& options : kinds()) {
    LanguageModel model(options, kVocabulary, 3);
    std::vector<Var> inputs;
    for (const NamedVar& p : params_of(model)) {
      p.var.node().outputs[0] = p.var.value().to(Dtype::f64);
      inputs.push_back(p.var);
    }
    // The state before is that of another piece, and no gradient flows into it.
    LanguageState before;
    {
      const NoGrad off;
      model.read(random_ids(2 * 3, 8), 2, before);
    }
    const LanguageBatch batch = random_batch(2, 5, 10);
    const double error = grad_error(inputs, [&] {
      LanguageState state = before;
      Noise noise{1, 1};
      return model.loss(batch, {.activation = 0.7, .temporal_activation = 0.9}, state, 0.1, &noise).loss;
    });
    EXPECT_LT(error, 1e-7) << options.blocks.size();
  }
}

TEST(LanguageModel, RegularisersAreThoseOfTheirFormulas) {
  LanguageModelOptions options = kinds()[0];
  options.dropout = {};
  const LanguageModel model(options, kVocabulary, 3);
  const LanguageBatch batch = random_batch(2, 5, 10);
  LanguageState state, again;
  Noise noise{1, 1};
  const auto plain = model.loss(batch, {}, state, 1, nullptr);
  const auto with = model.loss(batch, {.activation = 2, .temporal_activation = 3}, again, 1, &noise);
  LanguageState third;
  const Tensor h = values(model.read(batch.ids, 2, third));  // tied and of one width: the last layer's outputs
  const int64_t N = h.dim(0), C = h.dim(1);
  double squares = 0, changes = 0;
  for (int64_t i = 0; i < h.size(); ++i) {
    const double x = h.data<float>()[i];
    squares += x * x;
    if (i >= 2 * C) changes += std::pow(x - static_cast<double>(h.data<float>()[i - 2 * C]), 2);
  }
  const double n = static_cast<double>(N), c = static_cast<double>(C);
  // Means over all elements, each counted for every target, as AWD-LSTM adds them to a mean loss.
  EXPECT_NEAR(with.loss_sum - plain.loss_sum, n * (2 * squares / (n * c) + 3 * changes / ((n - 2) * c)), 1e-4);
  EXPECT_EQ(with.nll_sum, plain.nll_sum);
}

TEST(LanguageModel, PiecesGiveWhatTheWholeGives) {
  for (const LanguageModelOptions& options : kinds()) {
    const LanguageModel model(options, kVocabulary, 3);
    const NoGrad off;
    const Ids ids = random_ids(2 * 9, 5);
    LanguageState whole, pieces;
    const Tensor all = values(model.read(ids, 2, whole));
    const std::span<const int32_t> span(ids);
    std::vector<Var> parts;
    for (const auto& [begin, end] : {std::pair<size_t, size_t>{0, 2}, {2, 10}, {10, 12}, {12, 18}})
      parts.push_back(model.read(span.subspan(begin, end - begin), 2, pieces));
    EXPECT_LT(largest_difference(values(ops::concat_rows(parts)), all), 1e-6) << options.blocks.size();
  }
}

TEST(LanguageModel, ATextDoesNotDependOnItsCompany) {
  for (const LanguageModelOptions& options : kinds()) {
    const LanguageModel model(options, kVocabulary, 3);
    const NoGrad off;
    const int64_t texts = 5, steps = 7;
    const Ids ids = random_ids(texts * steps, 5);
    LanguageState together;
    const Tensor all = values(model.read(ids, texts, together));
    for (int64_t b = 0; b < texts; ++b) {
      Ids alone;
      for (int64_t t = 0; t < steps; ++t) alone.push_back(ids[static_cast<size_t>(t * texts + b)]);
      LanguageState state;
      const ThreadScope one(1);
      const Tensor h = values(model.read(alone, 1, state));
      for (int64_t t = 0; t < steps; ++t)
        EXPECT_TRUE(same_bits(h.rows(t, t + 1), all.rows(t * texts + b, t * texts + b + 1)));
    }
  }
}

// The block alone, beside the fused attention over the whole sentence.
TEST(LanguageModel, SelfAttentionBlocksSeeTheirWindow) {
  const BlockOptions options{.kind = "self_attention", .heads = 2, .feed_forward = 7, .causal = true, .window = 3};
  const auto block = make_block(options, 6, "b");
  uint64_t seed = 100;
  for (const NamedVar& p : params_of(*block))
    p.var.set_value(testing::random_tensor(p.var.shape(), seed++).to(Dtype::f32));
  const Sequence x{Var(testing::random_tensor({8, 6}, 1).to(Dtype::f32)), Ragged(std::vector<int64_t>{8}),
                   RowOrder::by_sequence};
  const BlockRun run{RowOrder::by_sequence, {}, nullptr, false};
  BlockState state;
  const Tensor pieces = values(block->continued(x, run, state));
  EXPECT_LT(largest_difference(pieces, values((*block)(x, run).memory.x)), 1e-5);
  EXPECT_EQ(state.known, (Ids{3}));
}

TEST(LanguageModel, WhatCannotLookBackOnlyIsRefused) {
  const auto refused = [](LanguageModelOptions options) -> std::string {
    try {
      LanguageModel(options, kVocabulary, 1);
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  };
  const auto of = [&](BlockOptions block) {
    return refused({.embedding = 6, .blocks = {{.kind = "lstm", .hidden = 6}, std::move(block)}});
  };
  EXPECT_NE(of({.kind = "bilstm", .hidden = 4}).find("model.blocks.1"), std::string::npos);
  EXPECT_NE(of({.kind = "bilstm", .hidden = 4}).find("looks ahead"), std::string::npos);
  EXPECT_NE(of({.kind = "self_attention", .heads = 2, .window = 3}).find("causal = true"), std::string::npos);
  EXPECT_NE(of({.kind = "self_attention", .heads = 2, .causal = true}).find("window"), std::string::npos);
  EXPECT_NE(of({.kind = "self_attention", .heads = 2, .causal = true, .window = 3, .relative = 2}).find("relative"),
            std::string::npos);
  EXPECT_NE(of({.kind = "convolution", .hidden = 4}).find("looks ahead"), std::string::npos);
  EXPECT_NE(refused({.layers = {.hidden = 7}, .blocks = {{.kind = "lstm"}}}).find("model.hidden"), std::string::npos);
}

TEST(LanguageModel, WhatAnAdaptiveSoftmaxRefuses) {
  LanguageModelOptions options = kinds()[4];
  options.tied = true;  // and clusters narrower by 2
  EXPECT_THROW(LanguageModel(options, kVocabulary, 1), ConfigError);
  options.tied = false, options.cutoffs = {"6", "x"};
  EXPECT_THROW(LanguageModel(options, kVocabulary, 1), ConfigError);
}

TEST(LanguageModel, ClustersBehindTheVocabularyAreNone) {
  LanguageModelOptions options = kinds()[5], one = options, none = options;
  options.cutoffs = {"6", "23", "100"}, one.cutoffs = {"6"};
  LanguageModel model(options, kVocabulary, 1), same(one, kVocabulary, 1);
  EXPECT_EQ(params_of(model).size(), params_of(same).size());
  none.cutoffs = {"23"};
  EXPECT_NE(LanguageModel(none, kVocabulary, 1).output(), nullptr);
}

TEST(LanguageModel, BeginsWithTheFrequenciesOfTokensAndClusters) {
  LanguageModelOptions options = kinds()[5];
  options.init = {.kind = "uniform", .scale = 0};
  std::vector<int64_t> counts;
  for (int64_t v = 0; v < kVocabulary; ++v) counts.push_back(2 * v);
  LanguageModel model(options, kVocabulary, 1);
  model.start_from_frequencies(counts);
  LanguageState state;
  const Tensor logits = values(model.logits(model.read(Ids{3}, 1, state)));
  for (int64_t v = 0; v < kVocabulary; ++v)
    EXPECT_NEAR(logits.data<float>()[v], std::log((2.0 * static_cast<double>(v) + 1) / (kVocabulary * kVocabulary)),
                1e-5);
}

TEST(LanguageSession, ScoresAreTheModels) {
  for (const LanguageModelOptions& options : kinds()) {
    const LanguageModel model(options, kVocabulary, 3);
    const Ids ids = random_ids(40, 5);
    LanguageSession session(model);
    const auto scores = session.score(ids);
    Ids read{data::kEos};
    read.insert(read.end(), ids.begin(), ids.end() - 1);
    LanguageState state;
    const NoGrad off;
    const double nll = model.loss({1, read, ids}, {}, state, 1, nullptr).nll_sum;
    EXPECT_NEAR(-std::accumulate(scores.begin(), scores.end(), 0.0), nll, 1e-4);
  }
}

TEST(LanguageSession, SavedAndRestoredItGoesOnToTheSameBits) {
  for (const LanguageModelOptions& options : kinds())
    for (const CacheOptions& cache : {CacheOptions{}, CacheOptions{.size = 5, .theta = 0.7, .lambda = 0.3}}) {
      const LanguageModel model(options, kVocabulary, 3);
      const Ids first = random_ids(12, 5), then = random_ids(20, 6);
      LanguageSession straight(model, cache);
      straight.read(first);
      LanguageSession moved(model, cache);
      moved.load(straight.tensors());
      const LanguageSession held = straight;  // a copy goes on by itself
      EXPECT_EQ(straight.score(then), moved.score(then));
      EXPECT_TRUE(same_bits(straight.logits(), moved.logits()));
      LanguageSession copied = held;
      EXPECT_EQ(copied.score(then).size(), then.size());
      EXPECT_TRUE(same_bits(copied.logits(), moved.logits()));
    }
}

TEST(LanguageSession, WhatIsNoSessionIsRefused) {
  const LanguageModel model(kinds()[0], kVocabulary, 3), other(kinds()[3], kVocabulary, 3);
  LanguageSession session(model), foreign(other);
  EXPECT_THROW(session.load(foreign.tensors()), FormatError);
  auto tensors = session.tensors();
  tensors.pop_back();
  EXPECT_THROW(LanguageSession(model).load(tensors), FormatError);
  tensors = session.tensors();
  tensors.emplace_back("more", Tensor::zeros({1, 2}));
  EXPECT_THROW(LanguageSession(model).load(tensors), FormatError);
}

TEST(LanguageSession, TextsMayMoveAndJoin) {
  for (const LanguageModelOptions& options : kinds()) {
    const LanguageModel model(options, kVocabulary, 3);
    const CacheOptions cache{.size = 4};
    const Ids a = random_ids(7, 1), b = random_ids(3, 2);
    LanguageSession one(model, cache), two(model, cache);
    one.read(a), two.read(b);
    LanguageSession both = one;
    both.append(two);
    both.reorder(Ids{1, 0, 1});
    EXPECT_EQ(both.texts(), 3);
    const Ids next{5, 6, 7};
    both.read(next);
    one.read(Ids{6}), two.read(Ids{5});
    const Tensor logits = both.logits();
    EXPECT_TRUE(same_bits(logits.rows(0, 1), two.logits()));
    EXPECT_TRUE(same_bits(logits.rows(1, 2), one.logits()));
  }
}

// The formula of the paper, from the states themselves.
TEST(LanguageSession, TheCacheIsThatOfGraveEtAl) {
  const LanguageModel model(kinds()[0], kVocabulary, 3);
  const CacheOptions cache{.size = 6, .theta = 0.8, .lambda = 0.25};
  const Ids ids{4, 5, 4, 6, 5, 4, 7, 4, 5, 6};
  LanguageSession with(model, cache), without(model);
  const auto mixed = with.score(ids), plain = without.score(ids);
  Ids read{data::kEos};
  read.insert(read.end(), ids.begin(), ids.end());
  LanguageState state;
  const NoGrad off;
  const Tensor h = values(model.read(read, 1, state));
  const auto dot = [&](size_t i, size_t j) {
    double sum = 0;
    for (int64_t c = 0; c < h.dim(1); ++c)
      sum += static_cast<double>(h.data<float>()[static_cast<int64_t>(i) * h.dim(1) + c]) *
             h.data<float>()[static_cast<int64_t>(j) * h.dim(1) + c];
    return sum;
  };
  EXPECT_NEAR(mixed[0], plain[0], 1e-12);  // nothing is remembered yet
  for (size_t t = 1; t < ids.size(); ++t) {
    double total = 0, mine = 0;
    for (size_t i = t > 6 ? t - 6 : 0; i < t; ++i) {
      const double w = std::exp(0.8 * dot(t, i));
      total += w, mine += ids[i] == ids[t] ? w : 0;
    }
    EXPECT_NEAR(mixed[t], std::log(0.75 * std::exp(plain[t]) + 0.25 * mine / total), 1e-6) << t;
  }
  double sum = 0;
  const Tensor log_probs = with.logits();
  for (const float x : log_probs.span<float>()) sum += std::exp(static_cast<double>(x));
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST(LanguageSession, GreedySearchTakesTheLikeliestToken) {
  for (const LanguageModelOptions& options : kinds()) {
    const LanguageModel model(options, kVocabulary, 3);
    LanguageSession session(model);
    session.read(Ids{5, 9});
    const auto decoder = make_decoder(session);
    const auto found = decode::search(*decoder, {{}}, {.beam = 1, .max_length = 6})[0][0];
    Ids expected;
    for (int k = 0; k < 6; ++k) {
      const auto row = session.logits();
      auto x = row.span<float>();
      x[data::kBos] = x[data::kPad] = -1e9f;
      const auto token = static_cast<int32_t>(std::ranges::max_element(x) - x.begin());
      if (token == data::kEos) break;
      expected.push_back(token);
      session.read(Ids{token});
    }
    EXPECT_EQ(found.tokens, expected);
  }
}

}  // namespace
}  // namespace lookback
