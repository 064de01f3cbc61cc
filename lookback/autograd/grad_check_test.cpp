#include "lookback/autograd/grad_check.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lookback {
namespace {

// sum_k w_k x_k^3 y_k, with chosen factors on the gradients: 1 is right.
Var cubic(const Var& x, const Var& y, double factor_x, double factor_y) {
  const int64_t n = x.value().size();
  double sum = 0;
  for (int64_t k = 0; k < n; ++k)
    sum += static_cast<double>(k + 1) * std::pow(x.value().data<double>()[k], 3) * y.value().data<double>()[k];
  return record({Tensor::of<double>({1}, {sum})}, {x, y}, [=](Node& node) {
    const double g = node.grads[0].data<double>()[0];
    const Var &in_x = node.inputs[0], &in_y = node.inputs[1];
    for (int64_t k = 0; k < n; ++k) {
      const double a = in_x.value().data<double>()[k], b = in_y.value().data<double>()[k];
      const double w = g * static_cast<double>(k + 1);
      if (factor_x != 0) in_x.grad_buffer().data<double>()[k] += factor_x * w * 3 * a * a * b;
      if (factor_y != 0) in_y.grad_buffer().data<double>()[k] += factor_y * w * a * a * a;
    }
  })[0];
}

struct GradCheck : ::testing::Test {
  Var x = Var::parameter(Tensor::of<double>({3}, {0.5, -1.25, 2.0}));
  Var y = Var::parameter(Tensor::of<double>({3}, {1.5, 0.75, -0.5}));
};

TEST_F(GradCheck, AcceptsARightGradient) {
  EXPECT_LT(grad_error({x, y}, [&] { return cubic(x, y, 1, 1); }), 1e-9);
}

TEST_F(GradCheck, FindsAGradientThatIsSlightlyOff) {
  EXPECT_GT(grad_error({x, y}, [&] { return cubic(x, y, 1.00001, 1); }), 1e-6);
  EXPECT_GT(grad_error({x, y}, [&] { return cubic(x, y, 1, -1); }), 0.1);
}

TEST_F(GradCheck, FindsAGradientThatIsMissing) {
  EXPECT_GT(grad_error({x, y}, [&] { return cubic(x, y, 1, 0); }), 0.1);
  EXPECT_GT(grad_error({x, y}, [&] { return cubic(x, y, 0, 1); }), 0.1);
}

TEST_F(GradCheck, FindsWhatOneInputAloneGetsWrong) {
  EXPECT_LT(grad_error({y}, [&] { return cubic(x, y, 2, 1); }), 1e-9);
  EXPECT_GT(grad_error({x}, [&] { return cubic(x, y, 2, 1); }), 0.1);
}

TEST_F(GradCheck, LeavesTheInputsAsTheyWere) {
  grad_error({x, y}, [&] { return cubic(x, y, 1, 1); });
  EXPECT_EQ(x.value().data<double>()[1], -1.25);
  EXPECT_EQ(y.value().data<double>()[2], -0.5);
  EXPECT_TRUE(grad_enabled());
}

// What was in the gradients before does not count.
TEST_F(GradCheck, StartsFromClearedGradients) {
  x.grad_buffer().data<double>()[0] = 100;
  EXPECT_LT(grad_error({x, y}, [&] { return cubic(x, y, 1, 1); }), 1e-9);
}

}  // namespace
}  // namespace lookback
