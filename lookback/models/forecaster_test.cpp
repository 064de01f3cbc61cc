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

bool is_autoregressive(const ForecasterOptions& o) { return o.kind == "deepar" || o.autoregressive; }
// What such a model can be asked: of what is known ahead, a point or a distribution.
ForecastSizes fitting(const ForecasterOptions& o, ForecastSizes n) {
  if (!is_autoregressive(o)) return n;
  std::erase_if(n.past, [](const ForecastVariable& v) { return v.name == "load"; });
  n.outputs = 1;
  if (o.kind == "deepar") n.likelihood = ops::Likelihood::student_t, n.outputs = 3;
  return n;
}

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
    for (const char* score : {"additive", "location", "monotonic", "none"})
      out.push_back({.kind = "seq2seq",
                     .linear = linear,
                     .encoder = {.hidden = 4, .bidirectional = linear},
                     .decoder = {.hidden = 5,
                                 .attention = linear ? "luong" : "bahdanau",
                                 .input_feeding = std::string(score) == "location"},
                     .score = score,
                     .dropout = {.rate = 0.3}});
  for (const bool luong : {true, false})
    out.push_back({.kind = "seq2seq",
                   .heads = 2,
                   .linear = luong,
                   .encoder = {.hidden = 4, .bidirectional = luong},
                   .decoder = {.hidden = 6, .attention = luong ? "luong" : "bahdanau", .input_feeding = false},
                   .score = "multi_head",
                   .dropout = {.rate = 0.3}});
  for (const char* normalise : {"last", "instance", "difference", "none"})
    out.push_back({.kind = "deepar",
                   .linear = false,
                   .normalise = normalise,
                   .encoder = {.layers = 2, .hidden = 4, .bidirectional = false},
                   .dropout = {.rate = 0.3}});
  out.push_back({.autoregressive = true,
                 .linear = false,
                 .encoder = {.cell = "gru", .hidden = 4, .bidirectional = false, .layer_norm = true},
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
                 o.pooling.kind, ", ", o.encoder.blocks.size(), " blocks, score ", o.score,
                 o.autoregressive ? ", autoregressive" : "");
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

// Those that are autoregressive read the targets on the way.
Forecaster::Forecast forecast_of(const Forecaster& model, const ForecasterOptions& o, const ForecastBatch& batch) {
  if (!is_autoregressive(o)) return model.forecast(batch);
  const NoGrad off;
  return {.values = model(batch, nullptr).value(), .looked = {}};
}

// Central differences in double, of every parameter, through the whole model. A loss with a target that is not there
// leaves them finite.
TEST(Forecaster, Gradients) {
  for (const ForecasterOptions& o : kinds()) {
    const ForecastSizes sizes = fitting(o, kSizes);
    ForecastBatch batch = random_batch(3, sizes);
    batch.targets.data<float>()[2] = std::numeric_limits<float>::quiet_NaN();
    batch.lengths[1] = 3;
    Forecaster model(o, sizes, Forecaster::kNoInit);
    draw(model, Dtype::f64);
    std::vector<Var> inputs;
    for (const NamedVar& p : params_of(model)) inputs.push_back(p.var);
    const auto values = [&] {
      Noise noise{1, 1};
      return model(batch, o.score == "monotonic" ? &noise : nullptr);  // it is a constant without
    };
    EXPECT_LT(grad_error(inputs, [&] { return testing::uneven(values()); }), 1e-6) << described(o);
    ops::ValueLossOptions loss;
    if (sizes.outputs == 3) loss = {.kind = ops::ValueLossOptions::Kind::quantile, .levels = {0.1, 0.5, 0.9}};
    backward(ops::value_loss(values(), batch.targets.to(Dtype::f64), loss).loss);
    for (const NamedVar& p : params_of(model)) {
      ASSERT_FALSE(p.var.grad().empty()) << p.name;
      for (const double g : p.var.grad().span<double>()) ASSERT_TRUE(std::isfinite(g)) << p.name;
    }
  }
}

TEST(Forecaster, AForecastDoesNotDependOnItsCompany) {
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8})
    for (ForecasterOptions o : kinds()) {
      SCOPED_TRACE(described(o));
      const ForecastSizes sizes = fitting(o, sizes_of(48, 7, 2));
      ForecastBatch batch = random_batch(9, sizes);
      for (size_t b = 0; b < 9; ++b) batch.lengths[b] = b % 3 ? 48 - 5 * static_cast<int64_t>(b) : 48;
      const PrecisionScope scope(precision);
      const bool decodes = o.kind == "seq2seq";
      if (o.encoder.blocks.empty()) o.encoder.hidden = 20;
      if (decodes) o.decoder.hidden = 24;
      Forecaster model(o, sizes, Forecaster::kNoInit);
      draw(model, Dtype::f32);
      const auto all = forecast_of(model, o, batch);
      ASSERT_EQ(all.values.shape(), (Shape{9, 7 * sizes.outputs}));
      ASSERT_EQ(all.looked.weights.size(), model.has_attention() ? 9U : 0U);
      if (o.kind == "lstm" || o.kind == "segment") {
        ASSERT_EQ(model.has_attention(), !is_autoregressive(o) && o.pooling.has_attention());
      }
      {
        const ThreadScope two(2);
        EXPECT_TRUE(same_bits(forecast_of(model, o, batch).values, all.values));
      }
      for (int64_t b = 0; b < 9; ++b) {
        const auto alone = forecast_of(model, o, row(batch, b));
        EXPECT_TRUE(same_bits(alone.values, all.values.rows(b, b + 1))) << b;
        if (all.looked.weights.empty()) continue;
        const Tensor& weights = all.looked.weights[static_cast<size_t>(b)];
        EXPECT_TRUE(same_bits(alone.looked.weights[0], weights));
        const int64_t span = o.kind == "segment" ? 3 : 1;
        const bool by_step = decodes || o.kind == "tft";
        const int64_t rows = by_step ? 7 : 2;
        ASSERT_EQ(weights.shape(), (Shape{rows, (batch.lengths[static_cast<size_t>(b)] + span - 1) / span * span}));
        for (int64_t hop = 0; hop < rows; ++hop) {
          const Tensor hop_weights = weights.rows(hop, hop + 1);
          const auto w = hop_weights.span<float>();
          const double sum = std::accumulate(w.begin(), w.end(), 0.0);
          if (o.score == "monotonic") {
            EXPECT_TRUE(sum == 0 || sum == 1) << sum;
          } else {
            EXPECT_TRUE(o.kind == "tft" ? 0 < sum && sum < 1 : std::abs(sum - 1) < 1e-5) << sum;
          }
          EXPECT_TRUE(o.kind != "segment" || w[0] == w[2]) << "read at once";
        }
      }
    }
}

TEST(Forecaster, BeginsAsTheLinearMap) {
  const int64_t L = kSizes.history, H = kSizes.horizon;
  std::vector<double> w;  // [L - 1, H]
  for (int64_t k = 0; k < (L - 1) * H; ++k) w.push_back(0.1 * static_cast<double>(k % 7) - 0.25);
  for (const ForecasterOptions& o : kinds()) {
    SCOPED_TRACE(described(o));
    if (is_autoregressive(o) && o.normalise == "difference") continue;  // from the value before, which is a target
    const ForecastSizes sizes = fitting(o, kSizes);
    // Of a likelihood's parameters only the location is a value.
    const int64_t Q = sizes.outputs, values = sizes.likelihood ? 1 : Q;
    const ForecastBatch batch = random_batch(4, sizes);
    Forecaster model(o, sizes, 1);
    const auto expect = [&](const std::vector<double>& weights) {
      const Tensor got = forecast_of(model, o, batch).values;
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
          for (int64_t q = 0; q < values; ++q) EXPECT_NEAR(got.data<float>()[(b * H + h) * Q + q], want, 1e-6);
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
  for (const ForecasterOptions& o : kinds()) {
    if (o.normalise == "none") continue;
    const ForecastSizes sizes = fitting(o, kSizes);
    ForecastBatch batch = random_batch(3, sizes);
    std::ranges::fill(batch.known.span<float>(), 1.0f);
    ForecastBatch higher = batch;
    for (Tensor ForecastBatch::*const values : {&ForecastBatch::history, &ForecastBatch::targets}) {
      for (float& y : (batch.*values).span<float>()) y = std::round(y * 64) / 64;
      higher.*values = (batch.*values).clone();
      for (float& y : (higher.*values).span<float>()) y += 1024;
    }
    Forecaster model(o, sizes, Forecaster::kNoInit);
    draw(model, Dtype::f32);
    const Tensor a = forecast_of(model, o, batch).values, b = forecast_of(model, o, higher).values;
    for (int64_t k = 0; k < a.size(); ++k) {
      const double moved = sizes.likelihood && k % sizes.outputs ? 0 : 1024;
      EXPECT_NEAR(b.data<float>()[k] - moved, a.data<float>()[k], 1e-3);
    }
  }
}

// What is looked at: each value of the history, whether it is known, all other variables.
TEST(Forecaster, ReadsAllOfItsInputs) {
  for (const ForecasterOptions& o : kinds()) {
    SCOPED_TRACE(described(o));
    const ForecastSizes sizes = fitting(o, kSizes);
    ForecastBatch batch = random_batch(1, sizes);
    std::ranges::fill(batch.known.span<float>(), 1.0f);
    Forecaster model(o, sizes, Forecaster::kNoInit);
    draw(model, Dtype::f32);
    const Tensor before = forecast_of(model, o, batch).values;
    for (Tensor ForecastBatch::*const input : {&ForecastBatch::history, &ForecastBatch::known, &ForecastBatch::past,
                                               &ForecastBatch::future, &ForecastBatch::fixed})
      for (int64_t k = 0; k < (batch.*input).size(); ++k) {
        ForecastBatch other = batch;
        other.*input = (batch.*input).clone();
        (other.*input).data<float>()[k] += 0.5f;
        EXPECT_FALSE(same_bits(forecast_of(model, o, other).values, before)) << k;
      }
    ForecastBatch without = batch;
    without.targets = Tensor();
    if (is_autoregressive(o))
      EXPECT_THROW(model(without, nullptr), ShapeError);
    else
      EXPECT_TRUE(same_bits(model.forecast(without).values, before)) << "targets are for losses";
    Noise noise{1, 1};
    EXPECT_TRUE(same_bits(model(batch, nullptr).value(), before));
    EXPECT_FALSE(same_bits(model(batch, &noise).value(), before)) << "dropout";
  }
}

// The next value is the last one and its distance from another: a linear map leaves a third of the squares.
TEST(Forecaster, EveryKindLearnsARuleThatIsNotLinear) {
  ForecastBatch batch = random_batch(64, alone(6, 1));
  for (int64_t b = 0; b < 64; ++b) {
    const float* const y = batch.history.data<float>() + b * 6;
    batch.targets.data<float>()[b] = y[5] + std::abs(y[2] - y[5]);
  }
  for (ForecasterOptions o : kinds()) {
    o.dropout.rate = 0;
    if (o.encoder.blocks.empty()) o.encoder.hidden = 12;
    if (o.kind == "seq2seq") o.decoder.hidden = 12;
    const ForecastSizes sizes = fitting(o, alone(6, 1));
    Forecaster model(o, sizes, 1);
    const auto params = params_of(model);
    testing::Adam adam(params, 0.02);
    const auto loss = [&] {
      const Var out = model(batch, nullptr);
      return sizes.likelihood ? ops::likelihood_loss(out, batch.targets, *sizes.likelihood, 1.0 / 64)
                              : ops::value_loss(out, batch.targets, {.scale = 1.0 / 64});
    };
    const auto squares = [&] {
      const Tensor out = model(batch, nullptr).value();
      double sum = 0;
      for (int64_t b = 0; b < 64; ++b) {
        const double e = out.data<float>()[b * sizes.outputs] - batch.targets.data<float>()[b];
        sum += e * e;
      }
      return sum;
    };
    const double before = squares();
    for (int step = 0; step < 200; ++step) {
      backward(loss().loss);
      adam.step();
    }
    EXPECT_LT(squares(), 0.1 * before) << described(o);
  }
}

// A path is what the network says when it is taught the path itself: for points the very same numbers. Paths of a
// likelihood are drawn from its parameters, each by names of its own.
TEST(Forecaster, PathsAreForecastsOfThemselves) {
  for (const ForecasterOptions& o : kinds()) {
    if (!is_autoregressive(o)) continue;
    SCOPED_TRACE(described(o));
    const ForecastSizes sizes = fitting(o, sizes_of(6, 4, 1));
    ForecastBatch batch = random_batch(3, sizes);
    batch.lengths[1] = 4;
    Forecaster model(o, sizes, Forecaster::kNoInit);
    draw(model, Dtype::f32);
    const int64_t S = sizes.likelihood ? 2000 : 1;
    const ForecastNetwork::Paths how{.samples = S, .seed = 5, .rows = {10, 20, 30}};
    const Tensor paths = model.paths(batch, how);
    ASSERT_EQ(paths.shape(), (Shape{3, S, 4}));
    EXPECT_TRUE(same_bits(model.paths(batch, how), paths));
    for (int64_t b = 0; b < 3; ++b) {
      const Tensor alone =
          model.paths(row(batch, b), {.samples = S, .seed = 5, .rows = {how.rows[static_cast<size_t>(b)]}});
      EXPECT_TRUE(same_bits(alone, paths.rows(b, b + 1))) << b;
    }
    if (!sizes.likelihood) {
      for (int64_t i = 0; i < 12; ++i) batch.targets.data<float>()[i] = paths.data<float>()[i];
      const Tensor taught = model(batch, nullptr).value();
      for (int64_t i = 0; i < 12; ++i) EXPECT_NEAR(taught.data<float>()[i], paths.data<float>()[i], 1e-5);
      continue;
    }
    EXPECT_FALSE(same_bits(model.paths(batch, {.samples = S, .seed = 6, .rows = how.rows}), paths));
    // The first step has the quantiles of the distribution there: 2000 draws are within 4 deviations of a share.
    const Tensor parameters = model(batch, nullptr).value();
    for (int64_t b = 0; b < 3; ++b) {
      const float* const p = parameters.data<float>() + b * 4 * 3;
      const std::vector<double> of_step(p, p + 3);
      for (const double level : {0.1, 0.5, 0.9}) {
        const double q = ops::quantile(*sizes.likelihood, of_step, level);
        int64_t below = 0;
        for (int64_t s = 0; s < S; ++s) below += paths.data<float>()[(b * S + s) * 4] < q;
        EXPECT_NEAR(static_cast<double>(below) / static_cast<double>(S), level, 4 * std::sqrt(0.25 / 2000)) << level;
      }
    }
  }
}

TEST(Forecaster, WhatDoesNotGoTogetherIsNamed) {
  const auto refused = [](const ForecasterOptions& o) {
    return message_of<ConfigError>([&] { Forecaster(o, alone(48, 1), 1); });
  };
  EXPECT_EQ(refused({.segment = 12}), "model.segment = 12 is of kind 'segment'; this is 'lstm'");
  EXPECT_EQ(refused({.kind = "seq2seq", .pooling = {.kind = "mean"}}),
            "model.pooling.kind = \"mean\" is of kind 'lstm' and 'segment'; this is 'seq2seq'");
  EXPECT_EQ(refused({.decoder = {.hidden = 32, .input_feeding = false}}),
            "model.decoder.hidden = 32 is of kind 'seq2seq'; this is 'lstm'");
  EXPECT_EQ(refused({.kind = "segment", .score = "dot"}),
            "model.score = \"dot\" is of kind 'seq2seq'; this is 'segment'");
  EXPECT_EQ(refused({.kind = "deepar", .autoregressive = true}),
            "model.autoregressive = true is of kind 'lstm'; this is 'deepar'");
  EXPECT_EQ(refused({.autoregressive = true}),
            "model.linear = true is of forecasts made at once; kind = 'lstm' reads the value before each: set "
            "model.linear = false");
  EXPECT_EQ(refused({.kind = "deepar", .linear = false}),
            "model.kind = 'deepar' samples from a likelihood: set loss.kind = 'gaussian' or 'student_t', or kind = "
            "'lstm' and autoregressive = true for points");
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
