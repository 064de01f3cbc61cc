// For tests of ops: inputs that repeat, losses with uneven gradients, and the check that every op has to pass.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "lookback/autograd/grad_check.h"
#include "lookback/ops/basic.h"

namespace lookback::testing {

// Numbers in (-1, 1), each a float, at least 0.01 from 0: away from the kinks of relu and maxout.
inline Tensor random_tensor(const Shape& shape, uint64_t seed) {
  Rng rng(seed, 7);
  Tensor out(shape, Dtype::f64);
  for (double& x : out.span<double>()) {
    const double u = 2 * static_cast<double>(rng.uniform()) - 1;
    x = static_cast<float>(std::copysign(0.01 + 0.98 * std::abs(u), u));
  }
  return out;
}

inline Var random_param(const Shape& shape, uint64_t seed) { return Var::parameter(random_tensor(shape, seed)); }

// One number that depends on every element of x, on each by another weight.
inline Var uneven(const Var& x, uint64_t seed = 1000) {
  return ops::weighted_sum(x, random_tensor(x.shape(), seed).to(x.dtype()));
}

using Inputs = std::vector<Var>;
using Loss = std::function<Var(const Inputs&)>;

inline std::vector<Tensor> gradients_of(const Inputs& inputs, const Loss& loss) {
  for (const Var& in : inputs) in.clear_grad();
  backward(loss(inputs));
  std::vector<Tensor> out;
  for (const Var& in : inputs)
    out.push_back(in.grad().empty() ? Tensor::zeros(in.shape(), in.dtype()) : in.grad().clone());
  return out;
}

// Largest difference, relative to the largest element of `want` (at least 1).
inline double distance(const Tensor& got, const Tensor& want) {
  if (got.shape() != want.shape()) return INFINITY;
  const Tensor a = got.to(Dtype::f64), b = want.to(Dtype::f64);
  double worst = 0, size = 1;
  for (int64_t k = 0; k < a.size(); ++k) {
    const double d = std::abs(a.data<double>()[k] - b.data<double>()[k]);
    worst = std::max(worst, std::isfinite(d) ? d : INFINITY);
    size = std::max(size, std::abs(b.data<double>()[k]));
  }
  return worst / size;
}

inline Inputs as_f32(const Inputs& inputs) {
  Inputs out;
  for (const Var& in : inputs) out.push_back(Var::parameter(in.value().to(Dtype::f32)));
  return out;
}

// What every op has to pass: in double its gradients are those of central differences, and
// the fast kernels in float give the same loss and the same gradients.
inline void check_op(const Inputs& inputs, const Loss& loss, double f32_tolerance = 2e-5) {
  EXPECT_LT(grad_error(inputs, [&] { return loss(inputs); }), 1e-7);
  const Inputs fast = as_f32(inputs);
  EXPECT_LT(distance(loss(fast).value(), loss(inputs).value()), f32_tolerance);
  const auto want = gradients_of(inputs, loss), got = gradients_of(fast, loss);
  for (size_t k = 0; k < want.size(); ++k) EXPECT_LT(distance(got[k], want[k]), f32_tolerance) << "input " << k;
}

// Backward leaves what forward saved for it as it was: run again, it adds the same gradient once more. (The tape runs
// it once, and frees it.)
inline void expect_backward_repeats(const Var& out, const Var& in) {
  Node& node = out.node();
  const auto run = node.backward;
  node.grads[static_cast<size_t>(out.output())] = Tensor::full(out.shape(), 3, out.dtype());
  run(node);
  const Tensor once = in.grad().clone();
  run(node);
  EXPECT_LT(distance(in.grad(), ops::scale(Var(once), 2).value()), 1e-12);
  in.clear_grad();
  node.grads[static_cast<size_t>(out.output())] = Tensor();
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::equal(a.bytes(), a.bytes() + a.byte_size(), b.bytes());
}

}  // namespace lookback::testing
