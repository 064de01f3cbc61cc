#include "lookback/ops/value_loss.h"

#include <cmath>
#include <limits>

#include "lookback/ops/basic.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using ops::ValueLossOptions;
using testing::check_op;
using testing::Inputs;
using testing::random_param;
using testing::random_tensor;
using Kind = ValueLossOptions::Kind;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// With gaps, and far from the kinks of every loss.
Tensor targets_beside(const Tensor& prediction, int64_t levels) {
  Tensor out({prediction.dim(0), prediction.dim(1) / levels}, Dtype::f64);
  for (int64_t i = 0; i < out.size(); ++i)
    out.data<double>()[i] = i % 4 == 3 ? kNone : prediction.data<double>()[i * levels] + (i % 2 ? 0.3 : -1.7);
  return out;
}

TEST(ValueLoss, Gradients) {
  for (const ValueLossOptions& o :
       {ValueLossOptions{.scale = 0.7}, {.kind = Kind::absolute}, {.kind = Kind::huber, .delta = 0.8, .scale = 3}})
    for (const Shape& shape : {Shape{1, 1}, Shape{5, 1}, Shape{1, 6}, Shape{3, 4}}) {
      const Var p = random_param(shape, 1);
      const Tensor y = targets_beside(p.value(), 1);
      check_op({p}, [&](const Inputs& x) {
        const Var loss = ops::value_loss(x[0], y.to(x[0].dtype()), o).loss;
        return ops::mul(loss, ops::scale(loss, 0.3));
      });
    }
  const Var p = random_param({3, 8}, 2);
  const Tensor y = targets_beside(p.value(), 2);
  check_op({p}, [&](const Inputs& x) {
    return ops::value_loss(x[0], y.to(x[0].dtype()), {.kind = Kind::quantile, .levels = {0.1, 0.9}, .scale = 2}).loss;
  });
}

TEST(ValueLoss, ValuesAreThoseOfTheFormulas) {
  const Var p(Tensor::of<double>({2, 2}, {1, -2, 5, 7}));
  const Tensor y = Tensor::of<double>({2, 2}, {1.5, 1, kNone, 7});
  const auto sum = [&](const ValueLossOptions& o) { return ops::value_loss(p, y, o).loss_sum; };
  EXPECT_DOUBLE_EQ(sum({}), 0.25 + 9);
  EXPECT_DOUBLE_EQ(sum({.kind = Kind::absolute}), 0.5 + 3);
  EXPECT_DOUBLE_EQ(sum({.kind = Kind::huber}), 0.125 + 2.5);
  EXPECT_EQ(ops::value_loss(p, y, {}).values, 3);
  EXPECT_DOUBLE_EQ(ops::value_loss(p, y, {.scale = 0.5}).loss.value().data<double>()[0], 4.625);
  // e = y - p is 0.5, 3, none, 0 at both levels.
  const Var both(Tensor::of<double>({2, 4}, {1, 1, -2, -2, 5, 5, 7, 7}));
  EXPECT_DOUBLE_EQ(ops::value_loss(both, y, {.kind = Kind::quantile, .levels = {0.1, 0.8}}).loss_sum, 0.9 * 3.5);
  // Twice the pinball loss at the median is the absolute error.
  EXPECT_DOUBLE_EQ(sum({.kind = Kind::quantile, .levels = {0.5}}), 3.5);
}

TEST(ValueLoss, NothingButGaps) {
  const Var p = Var::parameter(Tensor::of<float>({1, 2}, {1, 2}));
  const auto out = ops::value_loss(p, Tensor::full({1, 2}, kNone));
  EXPECT_EQ(out.values, 0);
  EXPECT_EQ(out.loss_sum, 0);
  backward(out.loss);
  EXPECT_EQ(p.grad().data<float>()[0], 0);
}

TEST(ValueLoss, BackwardLeavesWhatItSaved) {
  const Var p = random_param({3, 4}, 1);
  testing::expect_backward_repeats(ops::value_loss(p, targets_beside(p.value(), 1)).loss, p);
}

TEST(ValueLoss, WhatDoesNotFitIsRefused) {
  const Var p = random_param({2, 4}, 1);
  EXPECT_THROW(ops::value_loss(p, Tensor({2, 3}, Dtype::f64)), ShapeError);
  EXPECT_THROW(ops::value_loss(p, Tensor({2, 4}, Dtype::f32)), ShapeError);
  EXPECT_THROW(ops::value_loss(p, Tensor({2, 4}, Dtype::f64), {.kind = Kind::quantile}), ShapeError);
  EXPECT_THROW(ops::value_loss(p, Tensor({2, 2}, Dtype::f64), {.kind = Kind::quantile, .levels = {0, 1}}), ShapeError);
  EXPECT_THROW(ops::value_loss(p, Tensor({2, 4}, Dtype::f64), {.kind = Kind::huber, .delta = 0}), ShapeError);
}

}  // namespace
}  // namespace lookback
