#include "lookback/nn/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lookback/ops/linear.h"

namespace lookback {
namespace {

Var fresh(const Shape& s, Dtype d = Dtype::f32) { return Var::parameter(Tensor::zeros(s, d)); }

Tensor drawn(Role role, const Shape& shape, const InitOptions& options = {}, uint64_t seed = 1) {
  const NamedVar p{"name", fresh(shape, Dtype::f64), role};
  initialise(std::vector<NamedVar>{p}, options, seed);
  return p.var.value();
}

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(const Tensor& t) {
  Moments m;
  for (const double x : t.span<double>()) m.mean += x, m.largest = std::max(m.largest, std::abs(x));
  m.mean /= static_cast<double>(t.size());
  for (const double x : t.span<double>()) m.deviation += (x - m.mean) * (x - m.mean);
  m.deviation = std::sqrt(m.deviation / static_cast<double>(t.size()));
  return m;
}

void expect_uniform(const Tensor& t, double half_width) {
  const Moments m = moments(t);
  EXPECT_LE(m.largest, half_width);
  EXPECT_GT(m.largest, 0.99 * half_width);
  EXPECT_NEAR(m.mean, 0, 0.05 * half_width);
  EXPECT_NEAR(m.deviation, half_width / std::sqrt(3), 0.03 * half_width);
}

void expect_normal(const Tensor& t, double deviation) {
  const Moments m = moments(t);
  EXPECT_NEAR(m.mean, 0, 0.05 * deviation);
  EXPECT_NEAR(m.deviation, deviation, 0.03 * deviation);
  EXPECT_GT(m.largest, 3 * deviation);
}

void expect_all(const Tensor& t, double value) {
  for (const double x : t.span<double>()) EXPECT_EQ(x, value);
}

TEST(Init, RecurrentBlocksAreOrthogonal) {
  for (const int64_t H : {1, 2, 33})
    for (const char* kind : {"xavier", "bahdanau"}) {
      const Tensor w = drawn(Role::lstm_recurrent, {4 * H, H}, {.kind = kind});
      for (int64_t gate = 0; gate < 4; ++gate)
        for (int64_t a = 0; a < H; ++a)
          for (int64_t b = 0; b < H; ++b) {
            const double *p = w.data<double>() + (gate * H + a) * H, *q = w.data<double>() + (gate * H + b) * H;
            double dot = 0;
            for (int64_t k = 0; k < H; ++k) dot += p[k] * q[k];
            ASSERT_NEAR(dot, a == b, 1e-12) << kind << ' ' << gate << ' ' << a << ' ' << b;
          }
      EXPECT_TRUE(H == 1 || w.data<double>()[0] != w.data<double>()[H * H]) << "gates differ";
    }
}

TEST(Init, Xavier) {
  expect_uniform(drawn(Role::weight, {100, 200}), std::sqrt(6.0 / 300));
  expect_uniform(drawn(Role::lstm_input, {400, 50}), std::sqrt(6.0 / 150));  // gates one by one
  expect_uniform(drawn(Role::gru_input, {300, 50}), std::sqrt(6.0 / 150));
  expect_normal(drawn(Role::embedding, {400, 64}), 1.0 / 8);
  expect_all(drawn(Role::lstm_bias, {40}), 0);
  expect_all(drawn(Role::bias, {40}), 0);
  EXPECT_GT(moments(drawn(Role::score_vector, {400})).deviation, 0);
}

TEST(Init, Uniform) {
  const InitOptions o{.kind = "uniform", .scale = 0.08};
  for (const Role role : {Role::weight, Role::lstm_recurrent, Role::embedding})
    expect_uniform(drawn(role, {200, 100}, o), 0.08);
  expect_uniform(drawn(Role::bias, {20000}, o), 0.08);
}

TEST(Init, Bahdanau) {
  const InitOptions o{.kind = "bahdanau"};
  expect_normal(drawn(Role::weight, {200, 100}, o), 0.01);
  expect_normal(drawn(Role::gru_input, {300, 100}, o), 0.01);
  expect_normal(drawn(Role::score_weight, {200, 100}, o), 0.001);
  expect_normal(drawn(Role::score_weight, {200, 100}, o), 0.001);
  expect_all(drawn(Role::score_vector, {50}, o), 0);
  expect_all(drawn(Role::bias, {50}, o), 0);
}

TEST(Init, Torch) {
  const InitOptions o{.kind = "torch"};
  expect_uniform(drawn(Role::lstm_input, {400, 30}, o), 0.1);
  expect_uniform(drawn(Role::lstm_recurrent, {400, 100}, o), 0.1);
  expect_uniform(drawn(Role::lstm_bias, {40000}, o), 0.01);
  expect_uniform(drawn(Role::gru_bias, {30000}, o), 0.01);
  expect_uniform(drawn(Role::weight, {100, 400}, o), 0.05);
  expect_normal(drawn(Role::embedding, {200, 100}, o), 1);
  const std::vector<NamedVar> layer = {{"output.weight", fresh({5000, 16}, Dtype::f64), Role::weight},
                                       {"output.bias", fresh({5000}, Dtype::f64), Role::bias}};
  initialise(layer, o, 1);
  expect_uniform(layer[1].var.value(), 0.25);
}

TEST(Init, NormalisationStartsAsTheIdentity) {
  for (const char* kind : {"xavier", "uniform", "bahdanau", "torch"}) {
    expect_all(drawn(Role::norm_gain, {9}, {.kind = kind}), 1);
    expect_all(drawn(Role::norm_shift, {9}, {.kind = kind}), 0);
  }
}

TEST(Init, ForgetBiasIsAddedToTheForgetGateOnce) {
  const InitOptions o{.forget_bias = 1.5};
  const Tensor ih = drawn(Role::lstm_bias, {12}, o);
  for (int64_t k = 0; k < 12; ++k) EXPECT_EQ(ih.data<double>()[k], k / 3 == 1 ? 1.5 : 0) << k;
  expect_all(drawn(Role::lstm_recurrent_bias, {12}, o), 0);
  expect_all(drawn(Role::gru_bias, {12}, o), 0);
}

TEST(Init, AFunctionOfSeedNameAndShapeAlone) {
  const NamedVar a{"a.weight", fresh({3, 4})}, b{"b.weight", fresh({3, 4})};
  const NamedVar a2{"a.weight", fresh({3, 4})}, b2{"b.weight", fresh({3, 4})};
  initialise(std::vector<NamedVar>{a, b}, {}, 5);
  initialise(std::vector<NamedVar>{b2, a2}, {}, 5);
  const auto values = [](const NamedVar& p) {
    return std::vector<float>(p.var.value().span<float>().begin(), p.var.value().span<float>().end());
  };
  EXPECT_EQ(values(a), values(a2));
  EXPECT_EQ(values(b), values(b2));
  EXPECT_NE(values(a), values(b));
  initialise(std::vector<NamedVar>{a2}, {}, 6);
  EXPECT_NE(values(a), values(a2));
}

TEST(Init, PackedCopiesOfTheOldValueAreDropped) {
  const NamedVar p{"a.weight", fresh({8, 8})};
  const Var x(Tensor::full({1, 8}, 1));
  EXPECT_EQ(ops::linear(x, p.var).value().data<float>()[0], 0);
  initialise(std::vector<NamedVar>{p}, {}, 1);
  EXPECT_NE(ops::linear(x, p.var).value().data<float>()[0], 0);
}

}  // namespace
}  // namespace lookback
