#include "lookback/ops/loss.h"

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::gradients_of;
using testing::Inputs;
using testing::random_param;

struct Case {
  int64_t N, H, V;
  double smoothing, scale;
};

std::vector<int32_t> targets_of(int64_t N, int64_t V) {
  std::vector<int32_t> out;
  for (int64_t n = 0; n < N; ++n) out.push_back(static_cast<int32_t>((3 * n + 1) % V));
  return out;
}

TEST(ProjectedXent, Gradients) {
  for (const Case& c :
       {Case{1, 1, 1, 0, 1}, {1, 3, 5, 0, 1}, {6, 1, 4, 0.1, 1}, {7, 5, 19, 0.1, 0.3}, {4, 3, 2, 0.5, -2}}) {
    const auto y = targets_of(c.N, c.V);
    const ops::XentOptions o{.smoothing = c.smoothing, .scale = c.scale};
    const Inputs in = {random_param({c.N, c.H}, 1), random_param({c.V, c.H}, 2), random_param({c.V}, 3)};
    check_op(in, [&](const Inputs& x) { return ops::projected_xent(x[0], x[1], x[2], y, o).loss; });
    check_op({in[0], in[1]}, [&](const Inputs& x) { return ops::projected_xent(x[0], x[1], Var(), y, o).loss; });
  }
}

TEST(ProjectedXent, AnUnevenGradientFromAbove) {
  const auto y = targets_of(5, 7);
  check_op({random_param({5, 3}, 1), random_param({7, 3}, 2), random_param({7}, 3)}, [&](const Inputs& x) {
    const Var loss = ops::projected_xent(x[0], x[1], x[2], y, {.smoothing = 0.1}).loss;
    return ops::mul(loss, ops::scale(loss, 0.3));
  });
}

TEST(ProjectedXent, ATiedWeightCollectsBothGradients) {
  const auto y = targets_of(4, 6);
  check_op({random_param({6, 3}, 1), random_param({6}, 2)}, [&](const Inputs& x) {
    const Var h = ops::tanh(ops::gather_rows(x[0], ops::row_ids({1, 5, 0, 1})));
    return ops::projected_xent(h, x[0], x[1], y, {.smoothing = 0.1}).loss;
  });
}

// What the plain formula gives, row by row.
struct Plain {
  double loss = 0, nll = 0;
  int64_t correct = 0;
};

Plain plain(const Inputs& in, const std::vector<int32_t>& y, double smoothing) {
  const int64_t N = in[0].dim(0), H = in[0].dim(1), V = in[1].dim(0);
  Plain out;
  for (int64_t n = 0; n < N; ++n) {
    std::vector<double> logit(static_cast<size_t>(V));
    double sum = 0, mean = 0;
    for (int64_t v = 0; v < V; ++v) {
      double& x = logit[static_cast<size_t>(v)];
      x = in[2].value().data<double>()[v];
      for (int64_t k = 0; k < H; ++k)
        x += in[0].value().data<double>()[n * H + k] * in[1].value().data<double>()[v * H + k];
      sum += std::exp(x), mean += x / static_cast<double>(V);
    }
    const size_t target = static_cast<size_t>(y[static_cast<size_t>(n)]);
    const double lse = std::log(sum), nll = lse - logit[target];
    out.nll += nll;
    out.loss += (1 - smoothing) * nll + smoothing * (lse - mean);
    out.correct += std::max_element(logit.begin(), logit.end()) - logit.begin() == static_cast<ptrdiff_t>(target);
  }
  return out;
}

TEST(ProjectedXent, ValuesAreThoseOfTheFormula) {
  const auto y = targets_of(12, 5);
  const Inputs in = {random_param({12, 4}, 1), random_param({5, 4}, 2), random_param({5}, 3)};
  for (const double smoothing : {0.0, 0.1}) {
    const Plain want = plain(in, y, smoothing);
    for (const Inputs& x : {in, testing::as_f32(in)}) {
      const auto got = ops::projected_xent(x[0], x[1], x[2], y, {.smoothing = smoothing, .scale = 0.5});
      EXPECT_NEAR(got.loss_sum, want.loss, 1e-5);
      EXPECT_NEAR(got.nll_sum, want.nll, 1e-5);
      EXPECT_EQ(got.correct, want.correct);
      EXPECT_NEAR(got.loss.value().to(Dtype::f64).data<double>()[0], 0.5 * want.loss, 1e-5);
    }
  }
}

TEST(ProjectedXent, ChunksAddUp) {
  // A vocabulary so large that the rows go through in chunks of 64.
  const int64_t N = 150, V = 140000, H = 2;
  const auto y = targets_of(N, V);
  const Inputs in = testing::as_f32({random_param({N, H}, 1), random_param({V, H}, 2), random_param({V}, 3)});
  const testing::Loss whole = [&](const Inputs& x) {
    return ops::projected_xent(x[0], x[1], x[2], y, {.smoothing = 0.1}).loss;
  };
  const testing::Loss parts = [&](const Inputs& x) {
    Var sum;
    for (int64_t first = 0; first < N; first += 50) {
      const std::vector<int32_t> some(y.begin() + first, y.begin() + first + 50);
      const Var loss =
          ops::projected_xent(ops::slice_rows(x[0], first, first + 50), x[1], x[2], some, {.smoothing = 0.1}).loss;
      sum = sum ? ops::add(sum, loss) : loss;
    }
    return sum;
  };
  EXPECT_LT(testing::distance(whole(in).value(), parts(in).value()), 1e-6);
  const auto a = gradients_of(in, whole), b = gradients_of(in, parts);
  for (size_t k = 0; k < a.size(); ++k) EXPECT_LT(testing::distance(a[k], b[k]), 1e-5) << k;
}

TEST(ProjectedXent, LargeLogitsDoNotOverflow) {
  const Inputs in = {Var::parameter(Tensor::full({1, 1}, 1000)), Var::parameter(Tensor::of<float>({2, 1}, {90, -90}))};
  const auto out = ops::projected_xent(in[0], in[1], Var(), {1});
  EXPECT_FLOAT_EQ(static_cast<float>(out.nll_sum), 180000);
  backward(out.loss);
  EXPECT_FLOAT_EQ(in[0].grad().data<float>()[0], 180);
}

TEST(ProjectedXent, NoRowsAndNoGradients) {
  const Inputs in = {random_param({0, 3}, 1), random_param({4, 3}, 2), random_param({4}, 3)};
  const auto none = ops::projected_xent(in[0], in[1], in[2], {});
  EXPECT_EQ(none.loss_sum, 0);
  backward(none.loss);
  EXPECT_EQ(testing::distance(in[1].grad(), Tensor::zeros({4, 3})), 0);
  const NoGrad off;
  EXPECT_FALSE(ops::projected_xent(random_param({1, 3}, 1), in[1], in[2], {2}).loss.needs_grad());
}

TEST(ProjectedXent, WhatDoesNotFitIsRefused) {
  const Var h = random_param({2, 3}, 1), w = random_param({4, 3}, 2), b = random_param({4}, 3);
  EXPECT_THROW(ops::projected_xent(h, random_param({4, 2}, 1), b, {0, 1}), ShapeError);
  EXPECT_THROW(ops::projected_xent(h, w, random_param({3}, 1), {0, 1}), ShapeError);
  EXPECT_THROW(ops::projected_xent(h, w, b, {0}), ShapeError);
  EXPECT_THROW(ops::projected_xent(h, w, b, {0, 4}), ShapeError);
  EXPECT_THROW(ops::projected_xent(h, w, b, {0, -1}), ShapeError);
}

TEST(ProjectedXent, WeightsOfRows) {
  const auto y = targets_of(7, 5);
  const ops::XentOptions o{.smoothing = 0.1, .scale = 0.3, .weights = {1, 0.2, 3, 0, 1, 2, 0.5}};
  const Inputs in = {random_param({7, 3}, 1), random_param({5, 3}, 2), random_param({5}, 3)};
  check_op(in, [&](const Inputs& x) { return ops::projected_xent(x[0], x[1], x[2], y, o).loss; });
  double sum = 0, nll = 0;
  for (int32_t n = 0; n < 7; ++n) {
    const Var row = ops::gather_rows(in[0], ops::row_ids({n}));
    const auto one = ops::projected_xent(row, in[1], in[2], {y[static_cast<size_t>(n)]}, {.smoothing = 0.1});
    sum += o.weights[static_cast<size_t>(n)] * one.loss_sum, nll += one.nll_sum;
  }
  const auto all = ops::projected_xent(in[0], in[1], in[2], y, o);
  EXPECT_NEAR(all.loss_sum, sum, 1e-12);
  EXPECT_NEAR(all.loss.value().data<double>()[0], 0.3 * sum, 1e-12);
  EXPECT_NEAR(all.nll_sum, nll, 1e-12);
  EXPECT_THROW(ops::projected_xent(in[0], in[1], in[2], y, {.weights = {1, 2}}), ShapeError);
}

Tensor targets_between(const Shape& shape) {
  Tensor out(shape, Dtype::f64);
  for (int64_t i = 0; i < out.size(); ++i) out.data<double>()[i] = i % 3 == 2 ? 0.05 : static_cast<double>(i % 2);
  return out;
}

TEST(BinaryXent, Gradients) {
  for (const Shape& shape : {Shape{1, 1}, Shape{4, 1}, Shape{1, 5}, Shape{6, 3}}) {
    std::vector<double> weights;
    for (int64_t k = 0; k < shape[1]; ++k) weights.push_back(0.5 + static_cast<double>(k));
    for (const auto& w : {std::vector<double>(), weights})
      check_op({random_param(shape, 1)}, [&](const Inputs& x) {
        const Var loss = ops::binary_xent(x[0], targets_between(shape).to(x[0].dtype()), w, 0.7).loss;
        return ops::mul(loss, ops::scale(loss, 0.3));
      });
  }
}

TEST(BinaryXent, ValuesAreThoseOfTheFormulaAndStayFinite) {
  const Var z = random_param({3, 2}, 4);
  const Tensor y = targets_between({3, 2});
  double sum = 0;
  for (int64_t i = 0; i < 6; ++i) {
    const double x = z.value().data<double>()[i], target = y.data<double>()[i];
    sum += (i % 2 ? 2 : 1) * target * std::log(1 + std::exp(-x)) + (1 - target) * std::log(1 + std::exp(x));
  }
  EXPECT_NEAR(ops::binary_xent(z, y, {1, 2}).loss_sum, sum, 1e-12);
  z.value().data<double>()[0] = 1e4, z.value().data<double>()[1] = -1e4;
  EXPECT_TRUE(std::isfinite(ops::binary_xent(z, y, {}).loss_sum));
  EXPECT_THROW(ops::binary_xent(z, targets_between({2, 3}), {}), ShapeError);
  EXPECT_THROW(ops::binary_xent(z, y, {1}), ShapeError);
}

}  // namespace
}  // namespace lookback
