#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/error.h"
#include "lookback/base/testing.h"
#include "lookback/models/forecast_network.h"
#include "lookback/models/forecaster.h"
#include "lookback/models/testing.h"
#include "lookback/ops/value_loss.h"

namespace lookback {
namespace {

using testing::random_tensor;
using testing::same_bits;

constexpr int64_t kHistory = 6, kHorizon = 3;
// Neither sorted nor different throughout.
const std::vector<int64_t> kLengths = {3, 6, 1, 3};

ForecastSizes sizes_of(bool future, bool fixed) {
  ForecastSizes out{.history = kHistory, .horizon = kHorizon, .past = {{"y", 2}, {"load"}}, .outputs = 2};
  if (future) out.future = {{"weekday", 2}, {"price"}, {"holiday"}};
  if (fixed) out.fixed = {{"region", 2}, {"size"}, {"age"}};
  out.past.insert(out.past.end(), out.future.begin(), out.future.end());
  return out;
}

// With and without variables of either kind; single ones, which are not weighted; the series alone.
std::vector<ForecastSizes> variables() {
  std::vector<ForecastSizes> out;
  for (const bool future : {true, false})
    for (const bool fixed : {true, false}) out.push_back(sizes_of(future, fixed));
  ForecastSizes single = sizes_of(true, true);
  single.past = {{"y", 2}, {"price"}}, single.future = {{"price"}}, single.fixed = {{"size"}};
  out.push_back(single);
  single.past = {{"y", 2}}, single.future = {};
  out.push_back(single);
  single.fixed = {};
  out.push_back(single);
  return out;
}

std::string described(const ForecastSizes& n) {
  return str_cat(n.past.size(), " variables of the past, ", n.future.size(), " of the future, ", n.fixed.size(),
                 " fixed");
}

ForecasterOptions options_of(int64_t hidden = 4) {
  return {.kind = "tft", .heads = 2, .encoder = {.hidden = hidden, .bidirectional = false}};
}

NetworkInput random_input(const ForecastSizes& n, const std::vector<int64_t>& lengths, Dtype dtype, uint64_t seed = 1) {
  const auto numbers = [&](int64_t rows, const std::vector<ForecastVariable>& variables) {
    const int64_t columns = width_of(variables);
    return columns ? random_tensor({rows, columns}, ++seed).to(dtype) : Tensor();
  };
  const int64_t B = std::ssize(lengths);
  return {.lengths = lengths,
          .past = numbers(std::accumulate(lengths.begin(), lengths.end(), int64_t{0}), n.past),
          .future = numbers(B * n.horizon, n.future),
          .fixed = numbers(B, n.fixed),
          .targets = {}};
}

NetworkInput row(const NetworkInput& in, int64_t b) {
  const int64_t B = in.B(), begin = std::accumulate(in.lengths.begin(), in.lengths.begin() + b, int64_t{0});
  const auto part = [&](const Tensor& t) {
    const int64_t n = t.empty() ? 0 : t.dim(0) / B;
    return t.empty() ? Tensor() : t.rows(b * n, (b + 1) * n);
  };
  const int64_t length = in.lengths[static_cast<size_t>(b)];
  return {.lengths = {length},
          .past = in.past.rows(begin, begin + length),
          .future = part(in.future),
          .fixed = part(in.fixed),
          .targets = {}};
}

std::unique_ptr<ForecastNetwork> drawn(const ForecasterOptions& o, const ForecastSizes& sizes, Dtype dtype) {
  auto out = make_temporal_fusion_network(o, sizes);
  uint64_t seed = 100;
  for (const NamedVar& p : params_of(*out))
    // In double, which set_value would refuse.
    p.var.node().outputs[static_cast<size_t>(p.var.output())] = random_tensor(p.var.shape(), seed++).to(dtype);
  return out;
}

// Each row's sum.
std::vector<double> sums(const Tensor& x) {
  std::vector<double> out;
  for (int64_t n = 0; n < x.dim(0); ++n) {
    const Tensor one = x.rows(n, n + 1);
    const auto values = one.span<float>();
    out.push_back(std::accumulate(values.begin(), values.end(), 0.0));
  }
  return out;
}

// Of every parameter, over ragged histories; none is without a gradient.
TEST(TemporalFusion, Gradients) {
  for (const ForecastSizes& sizes : variables()) {
    SCOPED_TRACE(described(sizes));
    ForecasterOptions o = options_of();
    o.encoder.layers = sizes.future.size() == 1 ? 2 : 1;
    const auto network = drawn(o, sizes, Dtype::f64);
    const NetworkInput in = random_input(sizes, kLengths, Dtype::f64);
    std::vector<Var> params;
    for (const NamedVar& p : params_of(*network)) params.push_back(p.var);
    const auto loss = [&] { return testing::uneven((*network)(in, nullptr)); };
    EXPECT_LT(grad_error(params, loss), 1e-6);
    for (const Var& p : params) p.clear_grad();
    backward(loss());
    for (const NamedVar& p : params_of(*network)) {
      ASSERT_FALSE(p.var.grad().empty()) << p.name;
      EXPECT_TRUE(std::ranges::any_of(p.var.grad().span<double>(), [](double g) { return g != 0; })) << p.name;
    }
  }
}

// The same masks each time: what is dropped has no say, and all else is scaled.
TEST(TemporalFusion, GradientsUnderDropout) {
  ForecastSizes sizes = sizes_of(true, true);
  sizes.past = {{"y", 2}, {"price"}}, sizes.future = {{"price"}};
  for (const bool locked : {false, true}) {
    ForecasterOptions o = options_of();
    o.encoder.layers = 2;
    o.dropout = {.rate = 0.3, .locked = locked, .recurrent_weights = 0.3};
    const auto network = drawn(o, sizes, Dtype::f64);
    const NetworkInput in = random_input(sizes, kLengths, Dtype::f64);
    std::vector<Var> params;
    for (const NamedVar& p : params_of(*network)) params.push_back(p.var);
    const auto loss = [&] {
      Noise noise{1, 1};
      return testing::uneven((*network)(in, &noise));
    };
    EXPECT_LT(grad_error(params, loss), 1e-6) << locked;
    EXPECT_FALSE(same_bits(loss().value(), testing::uneven((*network)(in, nullptr)).value()));
  }
}

TEST(TemporalFusion, ARowDoesNotDependOnItsCompany) {
  for (const ForecastSizes& sizes : variables()) {
    SCOPED_TRACE(described(sizes));
    const auto network = drawn(options_of(20), sizes, Dtype::f32);
    const NetworkInput in = random_input(sizes, kLengths, Dtype::f32);
    LookedAt all;
    const Tensor y = (*network)(in, nullptr, &all).value();
    ASSERT_EQ(y.shape(), (Shape{4, kHorizon * 2}));
    for (int64_t b = 0; b < 4; ++b) {
      LookedAt own;
      EXPECT_TRUE(same_bits((*network)(row(in, b), nullptr, &own).value(), y.rows(b, b + 1))) << b;
      EXPECT_TRUE(same_bits(own.weights[0], all.weights[static_cast<size_t>(b)]));
      EXPECT_TRUE(same_bits(own.horizon_weights[0], all.horizon_weights[static_cast<size_t>(b)]));
      for (Tensor LookedAt::*const weights : {&LookedAt::past, &LookedAt::future, &LookedAt::fixed}) {
        ASSERT_EQ((own.*weights).empty(), (all.*weights).empty());
        if (!(own.*weights).empty()) {
          EXPECT_TRUE(same_bits(own.*weights, (all.*weights).rows(b, b + 1)));
        }
      }
    }
  }
}

TEST(TemporalFusion, WeightsSumToOne) {
  for (const ForecastSizes& sizes : variables()) {
    SCOPED_TRACE(described(sizes));
    const auto network = drawn(options_of(), sizes, Dtype::f32);
    LookedAt looked;
    (*network)(random_input(sizes, kLengths, Dtype::f32), nullptr, &looked);
    for (const auto& [weights, of] :
         {std::pair{&looked.past, &sizes.past}, {&looked.future, &sizes.future}, {&looked.fixed, &sizes.fixed}}) {
      ASSERT_EQ(weights->empty(), of->empty());
      if (of->empty()) continue;
      ASSERT_EQ(weights->shape(), (Shape{4, std::ssize(*of)}));
      EXPECT_TRUE(std::ranges::all_of(weights->span<float>(), [](float w) { return w > 0; }));
      for (const double sum : sums(*weights)) EXPECT_NEAR(sum, 1, 1e-5);
    }
    ASSERT_EQ(looked.weights.size(), 4U);
    for (size_t b = 0; b < 4; ++b) {
      const Tensor &history = looked.weights[b], &horizon = looked.horizon_weights[b];
      ASSERT_EQ(history.shape(), (Shape{kHorizon, kLengths[b]}));
      ASSERT_EQ(horizon.shape(), (Shape{kHorizon, kHorizon}));
      const auto before = sums(history), after = sums(horizon);
      for (int64_t h = 0; h < kHorizon; ++h) {
        EXPECT_NEAR(before[static_cast<size_t>(h)] + after[static_cast<size_t>(h)], 1, 1e-5);
        for (int64_t t = 0; t < kHorizon; ++t)
          EXPECT_EQ(horizon.data<float>()[h * kHorizon + t] > 0, t <= h) << "step " << h << " sees " << t;
      }
    }
  }
}

// What is known of a step moves the forecast of that step and of those after it, and of no other.
TEST(TemporalFusion, LooksAtNoLaterStep) {
  const ForecastSizes sizes = sizes_of(true, true);
  const auto network = drawn(options_of(), sizes, Dtype::f32);
  const NetworkInput in = random_input(sizes, kLengths, Dtype::f32);
  const Tensor before = (*network)(in, nullptr).value();
  for (int64_t b = 0; b < 4; ++b)
    for (int64_t step = 0; step < kHorizon; ++step) {
      NetworkInput other = in;
      other.future = in.future.clone();
      for (int64_t c = 0; c < 4; ++c) other.future.data<float>()[(b * kHorizon + step) * 4 + c] += 0.5f;
      const Tensor after = (*network)(other, nullptr).value();
      for (int64_t k = 0; k < before.size(); ++k)
        EXPECT_EQ(after.data<float>()[k] != before.data<float>()[k],
                  k / (kHorizon * 2) == b && k / 2 % kHorizon >= step)
            << b << " " << step << " " << k;
    }
}

// Gradients are the same where states are computed again.
TEST(TemporalFusion, CheckpointsCostNoBits) {
  const ForecastSizes sizes = sizes_of(true, true);
  const NetworkInput in = random_input(sizes, kLengths, Dtype::f32);
  std::vector<std::vector<Tensor>> grads;
  for (const int64_t checkpoint : {0, 2}) {
    ForecasterOptions o = options_of();
    o.encoder.time.checkpoint = checkpoint;
    const auto network = drawn(o, sizes, Dtype::f32);
    backward(testing::uneven((*network)(in, nullptr)));
    grads.emplace_back();
    for (const NamedVar& p : params_of(*network)) grads.back().push_back(p.var.grad());
  }
  for (size_t k = 0; k < grads[0].size(); ++k) EXPECT_TRUE(same_bits(grads[0][k], grads[1][k])) << k;
}

// One variable of each kind says what comes; the others are noise. New batches all along, so that none can be learnt
// by heart.
TEST(TemporalFusion, WeighsTheVariablesThatMatter) {
  const int64_t B = 64, L = 5, H = 2;
  const ForecastSizes sizes{.history = L,
                            .horizon = H,
                            .past = {{"y", 2}, {"noise"}, {"driver"}, {"month"}, {"price"}, {"holiday"}},
                            .future = {{"month"}, {"price"}, {"holiday"}},
                            .fixed = {{"region"}, {"size"}, {"age"}}};
  const auto batch_of = [&](uint64_t seed) {
    ForecastBatch out{.lengths = std::vector<int64_t>(B, L),
                      .history = random_tensor({B, L}, seed).to(Dtype::f32),
                      .known = Tensor::full({B, L}, 1, Dtype::f32),
                      .past = random_tensor({B * L, 5}, seed + 1).to(Dtype::f32),
                      .future = random_tensor({B * H, 3}, seed + 2).to(Dtype::f32),
                      .fixed = random_tensor({B, 3}, seed + 3).to(Dtype::f32),
                      .targets = Tensor({B, H}, Dtype::f32)};
    for (int64_t b = 0; b < B; ++b) {
      const float driver = out.past.data<float>()[(b * L + L - 1) * 5 + 1], size = out.fixed.data<float>()[b * 3 + 1];
      for (int64_t h = 0; h < H; ++h)
        out.targets.data<float>()[b * H + h] = driver + out.future.data<float>()[(b * H + h) * 3 + 1] + size;
    }
    return out;
  };
  ForecasterOptions o = options_of(8);
  o.linear = false, o.normalise = "none";
  Forecaster model(o, sizes, 1);
  testing::Adam adam(params_of(model), 0.02);
  const auto loss = [&](const ForecastBatch& batch) {
    return ops::value_loss(model(batch, nullptr), batch.targets, {.scale = 1.0 / (B * H)});
  };
  const ForecastBatch unseen = batch_of(7);
  const double before = loss(unseen).loss_sum;
  for (uint64_t step = 0; step < 300; ++step) {
    backward(loss(batch_of(1000 + 10 * step)).loss);
    adam.step();
  }
  EXPECT_LT(loss(unseen).loss_sum, 0.1 * before);
  const LookedAt looked = model.forecast(unseen).looked;
  const auto largest = [&](const Tensor& weights) {
    std::vector<double> mean(static_cast<size_t>(weights.dim(1)));
    for (int64_t k = 0; k < weights.size(); ++k)
      mean[static_cast<size_t>(k % weights.dim(1))] += static_cast<double>(weights.data<float>()[k]) / B;
    return std::ranges::max_element(mean) - mean.begin();
  };
  EXPECT_EQ(sizes.past[static_cast<size_t>(largest(looked.past))].name, "driver");
  EXPECT_EQ(sizes.future[static_cast<size_t>(largest(looked.future))].name, "price");
  EXPECT_EQ(sizes.fixed[static_cast<size_t>(largest(looked.fixed))].name, "size");
}

TEST(TemporalFusion, WhatDoesNotGoTogetherIsNamed) {
  const auto refused = [](const ForecasterOptions& o) {
    return message_of<ConfigError>([&] { Forecaster(o, sizes_of(true, true), 1); });
  };
  const std::string encoder = " does not go with kind = 'tft', whose encoder is LSTM layers in one direction";
  ForecasterOptions o = options_of();
  o.encoder.bidirectional = true;
  EXPECT_EQ(refused(o), "model.encoder.bidirectional = true" + encoder);
  o = options_of(), o.encoder.cell = "gru";
  EXPECT_EQ(refused(o), "model.encoder.cell = \"gru\"" + encoder);
  o = options_of(), o.encoder.blocks = {{.kind = "convolution"}};
  EXPECT_TRUE(refused(o).ends_with(encoder)) << refused(o);
  o = options_of(), o.pooling.kind = "additive";
  EXPECT_EQ(refused(o), "model.pooling.kind = \"additive\" is of kind 'lstm' and 'segment'; this is 'tft'");
  o = options_of(), o.segment = 12;
  EXPECT_EQ(refused(o), "model.segment = 12 is of kind 'segment'; this is 'tft'");
  o = options_of(), o.heads = 3;
  EXPECT_EQ(refused(o), "model.heads = 3 does not divide model.encoder.hidden = 4");
  EXPECT_EQ(refused({.heads = 2}), "model.heads = 2 is of kind 'tft' and 'seq2seq'; this is 'lstm'");
}

}  // namespace
}  // namespace lookback
