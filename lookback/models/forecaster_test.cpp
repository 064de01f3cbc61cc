#include "lookback/models/forecaster.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/precision.h"
#include "lookback/base/testing.h"
#include "lookback/models/testing.h"
#include "lookback/ops/value_loss.h"

namespace lookback {
namespace {

using testing::random_tensor;
using testing::same_bits;

// The series, a covariate of the past and one of two columns that is known ahead.
ForecastSizes sizes_of(int64_t history, int64_t horizon, int64_t outputs = 1) {
  return {.history = history,
          .horizon = horizon,
          .past = {{"y", 2}, {"load"}, {"weekday", 2}},
          .future = {{"weekday", 2}},
          .fixed = {{"region", 2}},
          .outputs = outputs};
}
// The series alone.
ForecastSizes alone(int64_t history, int64_t horizon) {
  return {.history = history, .horizon = horizon, .past = {{"y", 2}}, .future = {}, .fixed = {}};
}
const ForecastSizes kSizes = sizes_of(6, 2, 3);

// Ways to build one that differ in how values are read, and what is added.
std::vector<ForecasterOptions> kinds() {
  std::vector<ForecasterOptions> out;
  for (const char* kind : {"lstm", "segment"})
    for (const bool linear : {true, false})
      for (const PoolingOptions& pooling : {PoolingOptions{.kind = "last"}, {.kind = "additive", .hops = 2}})
        out.push_back({.kind = kind,
                       .segment = std::string(kind) == "segment" ? 3 : ForecasterOptions().segment,
                       .linear = linear,
                       .encoder = {.hidden = 4, .bidirectional = false},
                       .pooling = pooling,
                       .dropout = {.rate = 0.3}});
  for (const char* normalise : {"instance", "difference", "none"})
    for (const bool linear : {true, false})
      out.push_back({.linear = linear,
                     .normalise = normalise,
                     .encoder = {.hidden = 4, .bidirectional = false},
                     .dropout = {.rate = 0.3}});
  for (const bool linear : {true, false})
    for (const int64_t layers : {1, 2})
      out.push_back({.kind = "tft",
                     .heads = 2,
                     .linear = linear,
                     .encoder = {.layers = layers, .hidden = 4, .bidirectional = false},
                     .dropout = {.rate = 0.3}});
  ForecasterOptions blocks = out[1];
  blocks.encoder = {.blocks = {{.kind = "convolution", .hidden = 5}, {.kind = "self_attention", .heads = 1}}};
  out.push_back(blocks);
  return out;
}

std::string described(const ForecasterOptions& o) {
  return str_cat(o.kind, o.linear ? " with" : " without", " linear, normalised by ", o.normalise, ", pooling ",
                 o.pooling.kind, ", ", o.encoder.blocks.size(), " blocks");
}

ForecastBatch random_batch(int64_t B, const ForecastSizes& n, uint64_t seed = 1) {
  const auto numbers = [&](int64_t rows, int64_t columns) {
    return columns ? random_tensor({rows, columns}, ++seed).to(Dtype::f32) : Tensor();
  };
  ForecastBatch out{.lengths = std::vector<int64_t>(static_cast<size_t>(B), n.history),
                    .history = numbers(B, n.history),
                    .known = Tensor({B, n.history}),
                    .past = numbers(B * n.history, width_of(n.past) - 2),
                    .future = numbers(B * n.horizon, width_of(n.future)),
                    .fixed = numbers(B, width_of(n.fixed)),
                    .targets = numbers(B, n.horizon)};
  Rng rng(seed);
  for (float& k : out.known.span<float>()) k = rng.below(4) > 0;
  return out;
}

// Row b alone.
ForecastBatch row(const ForecastBatch& batch, int64_t b) {
  const int64_t B = std::ssize(batch.lengths);
  const auto part = [&](const Tensor& t) {
    const int64_t n = t.empty() ? 0 : t.dim(0) / B;
    return t.empty() ? Tensor() : t.rows(b * n, (b + 1) * n);
  };
  return {.lengths = {batch.lengths[static_cast<size_t>(b)]},
          .history = part(batch.history),
          .known = part(batch.known),
          .past = part(batch.past),
          .future = part(batch.future),
          .fixed = part(batch.fixed),
          .targets = part(batch.targets)};
}

// Weights away from zero, so that the encoder has its say.
void draw(Forecaster& model, Dtype dtype) {
  uint64_t seed = 100;
  for (const NamedVar& p : params_of(model))
    // In double, which set_value would refuse.
    p.var.node().outputs[static_cast<size_t>(p.var.output())] = random_tensor(p.var.shape(), seed++).to(dtype);
}

// Central differences in double, of every parameter, through the whole model. A loss with a target that is not there
// leaves them finite.
TEST(Forecaster, Gradients) {
  ForecastBatch batch = random_batch(3, kSizes);
  batch.targets.data<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  for (const ForecasterOptions& o : kinds()) {
    Forecaster model(o, kSizes, Forecaster::kNoInit);
    draw(model, Dtype::f64);
    std::vector<Var> inputs;
    for (const NamedVar& p : params_of(model)) inputs.push_back(p.var);
    EXPECT_LT(grad_error(inputs, [&] { return testing::uneven(model(batch, nullptr)); }), 1e-6) << described(o);
    backward(ops::value_loss(model(batch, nullptr), batch.targets.to(Dtype::f64),
                             {.kind = ops::ValueLossOptions::Kind::quantile, .levels = {0.1, 0.5, 0.9}})
                 .loss);
    for (const NamedVar& p : params_of(model)) {
      ASSERT_FALSE(p.var.grad().empty()) << p.name;
      for (const double g : p.var.grad().span<double>()) ASSERT_TRUE(std::isfinite(g)) << p.name;
    }
  }
}

TEST(Forecaster, AForecastDoesNotDependOnItsCompany) {
  const ForecastSizes sizes = sizes_of(48, 7, 2);
  ForecastBatch batch = random_batch(9, sizes);
  for (size_t b = 0; b < 9; ++b) batch.lengths[b] = b % 3 ? 48 - 5 * static_cast<int64_t>(b) : 48;
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8})
    for (ForecasterOptions o : kinds()) {
      SCOPED_TRACE(described(o));
      const PrecisionScope scope(precision);
      if (o.encoder.blocks.empty()) o.encoder.hidden = 20;
      Forecaster model(o, sizes, Forecaster::kNoInit);
      draw(model, Dtype::f32);
      const auto all = model.forecast(batch);
      ASSERT_EQ(all.values.shape(), (Shape{9, 14}));
      ASSERT_EQ(all.looked.weights.size(), model.has_attention() ? 9U : 0U);
      {
        const ThreadScope two(2);
        EXPECT_TRUE(same_bits(model.forecast(batch).values, all.values));
      }
      for (int64_t b = 0; b < 9; ++b) {
        const auto alone = model.forecast(row(batch, b));
        EXPECT_TRUE(same_bits(alone.values, all.values.rows(b, b + 1))) << b;
        if (all.looked.weights.empty()) continue;
        const Tensor& weights = all.looked.weights[static_cast<size_t>(b)];
        EXPECT_TRUE(same_bits(alone.looked.weights[0], weights));
        const int64_t span = o.kind == "segment" ? 3 : 1;
        const bool by_step = o.kind == "tft";  // of the horizon, at which it looks too
        const int64_t rows = by_step ? 7 : 2;
        ASSERT_EQ(weights.shape(), (Shape{rows, (batch.lengths[static_cast<size_t>(b)] + span - 1) / span * span}));
        for (int64_t hop = 0; hop < rows; ++hop) {
          const Tensor hop_weights = weights.rows(hop, hop + 1);
          const auto w = hop_weights.span<float>();
          const double sum = std::accumulate(w.begin(), w.end(), 0.0);
          EXPECT_TRUE(by_step ? 0 < sum && sum < 1 : std::abs(sum - 1) < 1e-5) << sum;
          EXPECT_TRUE(o.kind != "segment" || w[0] == w[2]) << "read at once";
        }
      }
    }
}

TEST(Forecaster, BeginsAsTheLinearMap) {
  const int64_t L = kSizes.history, H = kSizes.horizon, Q = kSizes.outputs;
  std::vector<double> w;  // [L - 1, H]
  for (int64_t k = 0; k < (L - 1) * H; ++k) w.push_back(0.1 * static_cast<double>(k % 7) - 0.25);
  const ForecastBatch batch = random_batch(4, kSizes);
  for (const ForecasterOptions& o : kinds()) {
    SCOPED_TRACE(described(o));
    Forecaster model(o, kSizes, 1);
    const auto expect = [&](const std::vector<double>& weights) {
      const Tensor got = model.forecast(batch).values;
      for (int64_t b = 0; b < 4; ++b) {
        const float* const y = batch.history.data<float>() + b * L;
        for (int64_t h = 0; h < H; ++h) {
          double want = o.linear || o.normalise == "last" || o.normalise == "difference" ? y[L - 1] : 0;
          if (!o.linear && o.normalise == "instance") {
            double count = 0;
            for (int64_t i = 0; i < L; ++i)
              if (batch.known.data<float>()[b * L + i] != 0) want += y[i], ++count;
            want /= count;
          }
          for (int64_t i = 0; i + 1 < L; ++i)
            want += weights[static_cast<size_t>(i * H + h)] * (static_cast<double>(y[i]) - y[L - 1]);
          for (int64_t q = 0; q < Q; ++q) EXPECT_NEAR(got.data<float>()[(b * H + h) * Q + q], want, 1e-6);
        }
      }
    };
    expect(std::vector<double>(w.size(), 0.0));  // the last value, or the mean of those that are known
    if (!o.linear) {
      EXPECT_THROW(model.start_from(w), ShapeError);
      continue;
    }
    model.start_from(w);
    expect(w);
    EXPECT_THROW(model.start_from(std::span(w).first(w.size() - 1)), ShapeError);
  }
}

// A level that was never seen moves the forecast by as much. Powers of two, which lose no bits.
TEST(Forecaster, FollowsTheLevelOfTheHistory) {
  ForecastBatch batch = random_batch(3, kSizes);
  std::ranges::fill(batch.known.span<float>(), 1.0f);
  for (float& y : batch.history.span<float>()) y = std::round(y * 64) / 64;
  ForecastBatch higher = batch;
  higher.history = batch.history.clone();
  for (float& y : higher.history.span<float>()) y += 1024;
  for (const ForecasterOptions& o : kinds()) {
    if (o.normalise == "none") continue;
    Forecaster model(o, kSizes, Forecaster::kNoInit);
    draw(model, Dtype::f32);
    const Tensor a = model.forecast(batch).values, b = model.forecast(higher).values;
    for (int64_t k = 0; k < a.size(); ++k) EXPECT_NEAR(b.data<float>()[k] - 1024, a.data<float>()[k], 1e-3);
  }
}

// What is looked at: each value of the history, whether it is known, all other variables.
TEST(Forecaster, ReadsAllOfItsInputs) {
  ForecastBatch batch = random_batch(1, kSizes);
  std::ranges::fill(batch.known.span<float>(), 1.0f);
  for (const ForecasterOptions& o : kinds()) {
    SCOPED_TRACE(described(o));
    Forecaster model(o, kSizes, Forecaster::kNoInit);
    draw(model, Dtype::f32);
    const Tensor before = model.forecast(batch).values;
    for (Tensor ForecastBatch::*const input : {&ForecastBatch::history, &ForecastBatch::known, &ForecastBatch::past,
                                               &ForecastBatch::future, &ForecastBatch::fixed})
      for (int64_t k = 0; k < (batch.*input).size(); ++k) {
        ForecastBatch other = batch;
        other.*input = (batch.*input).clone();
        (other.*input).data<float>()[k] += 0.5f;
        EXPECT_FALSE(same_bits(model.forecast(other).values, before)) << k;
      }
    ForecastBatch without = batch;
    without.targets = Tensor();
    EXPECT_TRUE(same_bits(model.forecast(without).values, before)) << "targets are for losses";
    Noise noise{1, 1};
    EXPECT_TRUE(same_bits(model(batch, nullptr).value(), before));
    EXPECT_FALSE(same_bits(model(batch, &noise).value(), before)) << "dropout";
  }
}

// The next value is the last one and its distance from another: a linear map leaves a third of the squares.
TEST(Forecaster, EveryKindLearnsARuleThatIsNotLinear) {
  const ForecastSizes sizes = alone(6, 1);
  ForecastBatch batch = random_batch(64, sizes);
  for (int64_t b = 0; b < 64; ++b) {
    const float* const y = batch.history.data<float>() + b * 6;
    batch.targets.data<float>()[b] = y[5] + std::abs(y[2] - y[5]);
  }
  for (ForecasterOptions o : kinds()) {
    o.dropout.rate = 0;
    if (o.encoder.blocks.empty()) o.encoder.hidden = 12;
    Forecaster model(o, sizes, 1);
    const auto params = params_of(model);
    testing::Adam adam(params, 0.02);
    const auto loss = [&] { return ops::value_loss(model(batch, nullptr), batch.targets, {.scale = 1.0 / 64}); };
    const double before = loss().loss_sum;
    for (int step = 0; step < 200; ++step) {
      backward(loss().loss);
      adam.step();
    }
    EXPECT_LT(loss().loss_sum, 0.1 * before) << described(o);
  }
}

TEST(Forecaster, WhatDoesNotGoTogetherIsNamed) {
  const auto refused = [](const ForecasterOptions& o) {
    return message_of<ConfigError>([&] { Forecaster(o, alone(48, 1), 1); });
  };
  EXPECT_EQ(refused({.segment = 12}), "model.segment = 12 is of kind 'segment'; this is 'lstm'");
  EXPECT_EQ(refused({.kind = "segment", .segment = 9}), "model.segment = 9 does not divide data.history = 48");
  EXPECT_EQ(refused({.encoder = {.blocks = {{.kind = "pyramid"}}}}),
            "model.encoder: a forecaster's blocks keep the number of steps");
  EXPECT_EQ(refused({.pooling = {.kind = "mean", .hops = 2}}),
            "model.pooling.hops = 2 needs attention, and model.pooling.kind is 'mean'");
  EXPECT_EQ(refused({.dropout = {.words = 0.1}}), "model.word_dropout = 0.1: a forecaster reads no words");

  const Forecaster model({}, kSizes, 1);
  const ForecastBatch good = random_batch(3, kSizes);
  model.forecast(good);
  ForecastBatch bad = good;
  bad.history = random_tensor({3, 5}, 1).to(Dtype::f32);
  EXPECT_EQ(message_of<ShapeError>([&] { model.forecast(bad); }),
            "forecaster: histories [3,5], known [3,6] for 3 rows of 6 steps");
  for (Tensor ForecastBatch::*const input :
       {&ForecastBatch::known, &ForecastBatch::past, &ForecastBatch::future, &ForecastBatch::fixed}) {
    bad = good, bad.*input = (good.*input).rows(0, 2);
    EXPECT_THROW(model.forecast(bad), ShapeError);
    bad.*input = Tensor();
    EXPECT_THROW(model.forecast(bad), ShapeError);
  }
  for (const int64_t length : {0, 7}) {
    bad = good, bad.lengths[1] = length;
    EXPECT_THROW(model.forecast(bad), ShapeError);
  }
}

}  // namespace
}  // namespace lookback
