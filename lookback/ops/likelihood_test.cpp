#include "lookback/ops/likelihood.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "lookback/ops/basic.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using ops::Likelihood;
using testing::check_op;
using testing::Inputs;
using testing::random_param;
using testing::random_tensor;
using testing::uneven;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr Likelihood kKinds[] = {Likelihood::gaussian, Likelihood::student_t};

// With gaps.
Tensor random_targets(const Shape& shape) {
  const Tensor out = random_tensor(shape, 5);
  for (int64_t i = 0; i < out.size(); ++i) out.data<double>()[i] = i % 4 == 3 ? kNone : 3 * out.data<double>()[i];
  return out;
}

TEST(Likelihood, GradientsFromWhatALayerGives) {
  for (const Likelihood kind : kKinds)
    for (const Shape& shape : {Shape{1, 1}, Shape{5, 1}, Shape{1, 6}, Shape{3, 4}}) {
      const Var raw = random_param({shape[0], shape[1] * ops::parameters_of(kind)}, 1);
      const Tensor y = random_targets(shape), spread = random_tensor({shape[0]}, 2);
      for (double& s : spread.span<double>()) s = 0.5 + std::abs(s);
      check_op({raw}, [&](const Inputs& x) {
        return uneven(ops::likelihood_parameters(x[0], kind, spread.to(x[0].dtype())));
      });
      check_op({raw}, [&](const Inputs& x) {
        const Var p = ops::likelihood_parameters(x[0], kind, spread.to(x[0].dtype()));
        const Var loss = ops::likelihood_loss(p, y.to(p.dtype()), kind, 0.7).loss;
        return ops::mul(loss, ops::scale(loss, 0.3));
      });
    }
}

// Near and far targets, few and many degrees of freedom: every branch.
TEST(Likelihood, GradientsOfTheLoss) {
  const Tensor y = Tensor::of<double>({4, 2}, {0.125, 3, kNone, -9, 0.25, 2, 40, -0.5});
  const Var t = Var::parameter(Tensor::of<double>(
      {4, 6}, {0, 0.5, 2.5, 1, 2, 3, 1, 1, 4, -1, 0.75, 40, 0.5, 1.5, 60, 1.5, 1, 25, -2, 4, 5, 3, 8, 200}));
  check_op({t}, [&](const Inputs& x) {
    return ops::likelihood_loss(x[0], y.to(x[0].dtype()), Likelihood::student_t, 0.25).loss;
  });
  const Var g =
      Var::parameter(Tensor::of<double>({4, 4}, {0, 0.5, 1, 2, 1, 1, -1, 3.75, 0.5, 1.5, 1.5, 1, -2, 14, 3, 8}));
  check_op({g}, [&](const Inputs& x) {
    return ops::likelihood_loss(x[0], y.to(x[0].dtype()), Likelihood::gaussian, 0.25).loss;
  });
}

double loss_of(Likelihood kind, std::vector<double> parameters, double target) {
  const Tensor p({1, std::ssize(parameters)}, Dtype::f64);
  std::ranges::copy(parameters, p.data<double>());
  return ops::likelihood_loss(Var(p), Tensor::full({1, 1}, target, Dtype::f64), kind).loss_sum;
}

// scipy 1.17.1: -stats.norm.logpdf(y, m, s), -stats.t.logpdf(y, df, m, s)
TEST(Likelihood, LossesAsScipy) {
  constexpr double kGaussian[][4] = {{0, 1, 0, 0.9189385332046727},
                                     {1.5, 0.25, 2, 1.532644172084782},
                                     {-3, 40, 1000, 318.9856304873186},
                                     {2, 0.001, 1.999, -5.488816745777575}};
  for (const auto& [m, s, y, want] : kGaussian)
    EXPECT_NEAR(loss_of(Likelihood::gaussian, {m, s}, y), want, 1e-13 * std::abs(want));
  constexpr double kStudentT[][5] = {
      {0, 1, 2, 0, 1.0397207708399179},           {1.5, 0.25, 2.5, 2, 1.302490261138573},
      {-3, 40, 7, 1000, 22.679030016786562},      {2, 0.001, 30, 1.999, -5.47224269984704},
      {0, 1, 33, 12, 29.48043004144301},          {1, 2, 1000000, 4.5, 3.143335150290498},
      {0, 1, 1000000000, -1, 1.4189385337046732}, {5, 3, 4, -100000000, 85.22404816530137}};
  for (const auto& [m, s, df, y, want] : kStudentT)
    EXPECT_NEAR(loss_of(Likelihood::student_t, {m, s, df}, y), want, 1e-13 * std::abs(want));
}

// mpmath 1.4.1 with 60 digits: the central difference, by 1e-15 in df, of
// -(loggamma((df + 1) / 2) - loggamma(df / 2) - log(df pi) / 2 - (df + 1) / 2 log1p(y^2 / df))
TEST(Likelihood, SlopeByDegreesOfFreedomKeepsItsDigits) {
  constexpr double kWant[][3] = {{2, 0.5, -0.0812946349451963},        {2.5, 10, 1.136396210622298},
                                 {31.5, 2, 0.0013942123976527182},     {40, 0.001, -0.00015620154524860155},
                                 {10000, 3, 1.5479770939680072e-7},    {1000000, 1, -4.999998333333333e-13},
                                 {1000000, 2.5, 6.390563151491923e-12}};
  for (const auto& [df, y, want] : kWant) {
    const Var p = Var::parameter(Tensor::of<double>({1, 3}, {0, 1, df}));
    backward(ops::likelihood_loss(p, Tensor::full({1, 1}, y, Dtype::f64), Likelihood::student_t).loss);
    EXPECT_NEAR(p.grad().data<double>()[2], want, 1e-10 * std::abs(want)) << df << " " << y;
  }
}

TEST(Likelihood, ParametersAreThoseOfTheFormulas) {
  const Tensor spread = Tensor::of<double>({2}, {2, 10});
  const Var raw(Tensor::of<double>({2, 6}, {3, 0, 0, -1, 1, 1, 0.5, -1, -1, 0, -800, 800}));
  const Tensor got = ops::likelihood_parameters(raw, Likelihood::student_t, spread).value();
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  const double want[] = {6,
                         2 * (std::log(2) + 1e-5),
                         2 + std::log(2),
                         -2,
                         2 * (softplus(1) + 1e-5),
                         2 + softplus(1),
                         5,
                         10 * (softplus(-1) + 1e-5),
                         2 + softplus(-1),
                         0,
                         1e-4,
                         802};
  for (int64_t k = 0; k < 12; ++k) EXPECT_NEAR(got.data<double>()[k], want[k], 1e-14 * std::abs(want[k])) << k;
}

TEST(Likelihood, FarValuesStayFinite) {
  for (const Likelihood kind : kKinds)
    for (const Dtype d : {Dtype::f32, Dtype::f64})
      for (const double spread : {1e-3, 1.0, 1e6})
        for (const double y : {0.0, 3.0, -1e6}) {
          const int64_t P = ops::parameters_of(kind), N = int64_t{1} << P;
          const Tensor ends({N, P}, Dtype::f64);
          for (int64_t i = 0; i < N * P; ++i) ends.data<double>()[i] = (i / P) >> (i % P) & 1 ? 1e4 : -1e4;
          const Var raw = Var::parameter(ends.to(d));
          const Var p = ops::likelihood_parameters(raw, kind, Tensor::full({N}, spread, d));
          const auto out = ops::likelihood_loss(p, Tensor::full({N, 1}, y, d), kind);
          backward(out.loss);
          EXPECT_TRUE(std::isfinite(out.loss_sum) && std::isfinite(out.loss.value().to(Dtype::f64).data<double>()[0]));
          const Tensor gradient = raw.grad().to(Dtype::f64);
          for (const double g : gradient.span<double>()) EXPECT_TRUE(std::isfinite(g)) << spread << " " << y;
        }
}

TEST(Likelihood, GapsDoNotCount) {
  for (const Likelihood kind : kKinds) {
    const int64_t P = ops::parameters_of(kind);
    const Tensor parameters = Tensor::full({2, 2 * P}, 3);
    const Var p = Var::parameter(parameters.clone()), q = Var::parameter(parameters.clone());
    const auto some = ops::likelihood_loss(p, Tensor::of<float>({2, 2}, {1, kNone, kNone, 5}), kind, 0.5);
    EXPECT_EQ(some.values, 2);
    std::vector<double> one(static_cast<size_t>(P), 3);
    EXPECT_DOUBLE_EQ(some.loss_sum, loss_of(kind, one, 1) + loss_of(kind, one, 5));
    EXPECT_FLOAT_EQ(some.loss.value().data<float>()[0], static_cast<float>(some.loss_sum / 2));
    backward(some.loss);
    for (int64_t k = 0; k < 4 * P; ++k) EXPECT_EQ(p.grad().data<float>()[k] == 0, P <= k && k < 3 * P) << k;
    const auto none = ops::likelihood_loss(q, Tensor::full({2, 2}, kNone), kind);
    EXPECT_EQ(none.values, 0);
    EXPECT_EQ(none.loss_sum, 0);
    backward(none.loss);
    for (const float g : q.grad().span<float>()) EXPECT_EQ(g, 0);
  }
}

TEST(Likelihood, BackwardLeavesWhatItSaved) {
  for (const Likelihood kind : kKinds) {
    const Var raw = random_param({3, 2 * ops::parameters_of(kind)}, 1);
    const Var p = ops::likelihood_parameters(raw, kind, Tensor::full({3}, 2, Dtype::f64));
    testing::expect_backward_repeats(p, raw);
    const Var leaf = Var::parameter(p.value().clone());
    testing::expect_backward_repeats(ops::likelihood_loss(leaf, random_targets({3, 2}), kind).loss, leaf);
  }
}

// What is drawn lies below a quantile as often as its level says, and has the mean and the variance of its kind.
TEST(Likelihood, DrawsFollowQuantiles) {
  constexpr int kDraws = 100000;
  struct Case {
    Likelihood kind;
    std::vector<double> parameters;
    double variance, kurtosis;  // of the standard distribution; 0: not finite
  };
  for (const Case& c :
       {Case{Likelihood::gaussian, {3, 2}, 1, 3}, Case{Likelihood::student_t, {-1, 0.5, 2}, 0, 0},
        Case{Likelihood::student_t, {3, 2, 9}, 9.0 / 7, 4.2}, Case{Likelihood::student_t, {3, 2, 1e6}, 1 + 2e-6, 3}}) {
    Rng rng(1);
    std::vector<double> x;
    double sum = 0, squares = 0;
    for (int k = 0; k < kDraws; ++k) {
      x.push_back(ops::sample(c.kind, c.parameters, rng));
      const double z = (x.back() - c.parameters[0]) / c.parameters[1];
      sum += z, squares += z * z;
    }
    if (c.variance > 0) {  // within five standard errors
      EXPECT_NEAR(sum / kDraws, 0, 5 * std::sqrt(c.variance / kDraws));
      EXPECT_NEAR(squares / kDraws, c.variance, 5 * c.variance * std::sqrt((c.kurtosis - 1) / kDraws));
    }
    for (const double level : {0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999}) {
      const double q = ops::quantile(c.kind, c.parameters, level);
      const auto below = static_cast<double>(std::ranges::count_if(x, [&](double v) { return v <= q; }));
      EXPECT_NEAR(below / kDraws, level, 5 * std::sqrt(level * (1 - level) / kDraws)) << c.parameters.size();
    }
    EXPECT_EQ(ops::quantile(c.kind, c.parameters, 0.5), c.parameters[0]);
  }
}

TEST(Likelihood, WhatDoesNotFitIsRefused) {
  const auto kind = Likelihood::student_t;
  const Var p = random_param({2, 6}, 1);
  EXPECT_THROW(ops::likelihood_loss(p, Tensor({2, 3}, Dtype::f64), kind), ShapeError);
  EXPECT_THROW(ops::likelihood_loss(p, Tensor({2, 2}, Dtype::f32), kind), ShapeError);
  EXPECT_THROW(ops::likelihood_parameters(p, kind, Tensor({6}, Dtype::f64)), ShapeError);
  EXPECT_THROW(ops::likelihood_parameters(p, kind, Tensor({2}, Dtype::f32)), ShapeError);
  EXPECT_THROW(ops::likelihood_parameters(random_param({2, 4}, 1), kind, Tensor({2}, Dtype::f64)), ShapeError);
  const std::vector<double> two = {0, 1}, three = {0, 1, 5};
  Rng rng(1);
  EXPECT_THROW(ops::quantile(kind, two, 0.5), ShapeError);
  EXPECT_THROW(ops::sample(kind, two, rng), ShapeError);
  EXPECT_THROW(ops::sample(Likelihood::gaussian, three, rng), ShapeError);
  for (const double level : {0.0, 1.0, -1.0, kNone}) EXPECT_THROW(ops::quantile(kind, three, level), ShapeError);
}

}  // namespace
}  // namespace lookback
