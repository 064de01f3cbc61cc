#pragma once

#include "lookback/nn/module.h"
#include "lookback/ops/linear.h"

namespace lookback {

// y = x W^T + b. x [N, I] -> [N, O]
struct Linear {
  Var weight;  // [O, I]
  Var bias;    // [O] or absent
  Role role = Role::weight;

  enum class Bias { yes, no };
  Linear() = default;
  Linear(int64_t I, int64_t O, Bias with_bias, Role role = Role::weight)
      : weight(Var::parameter(Tensor::zeros({O, I}))),
        bias(with_bias == Bias::yes ? Var::parameter(Tensor::zeros({O})) : Var()),
        role(role) {}

  Var operator()(const Var& x) const { return ops::linear(x, weight, {.bias = bias}); }
  // The product of the weight's columns from `first` on with x alone; no bias.
  ops::LinearTerm part(const Var& x, int64_t first) const { return {x, weight, {}, {{first, first + x.dim(1)}}}; }
  Var operator()(const Var& x, int64_t first) const {
    return ops::linear(x, weight, {.columns = {{first, first + x.dim(1)}}});
  }
  void params(ParamVisitor& v) { v("weight", weight, role), v("bias", bias, Role::bias); }
};

// A lookup table. ids -> rows of [V, E].
struct Embedding {
  Var weight;  // [V, E]

  void params(ParamVisitor& v) { v("weight", weight, Role::embedding); }
};

// Layer normalisation (Ba et al. 2016) over the last dimension.
struct LayerNorm {
  Var gamma, beta;  // [C]

  LayerNorm() = default;
  explicit LayerNorm(int64_t C) : gamma(Var::parameter(Tensor::zeros({C}))), beta(Var::parameter(Tensor::zeros({C}))) {}
  void params(ParamVisitor& v) { v("gamma", gamma, Role::norm_gain), v("beta", beta, Role::norm_shift); }
};

}  // namespace lookback
