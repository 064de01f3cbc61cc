// Private to train: its loops over elements, which run on the rung in use. One pass over one block of one parameter.
// w: value, g: gradient, s, t: state of the same size (null where a kind needs none).
#pragma once

#include <cstdint>

#include "lookback/base/elementary.h"

namespace lookback::train::detail {

struct UpdateScalars {
  double lr, grad_scale, weight_decay, momentum, beta1, beta2, epsilon, rho;
  bool nesterov;
  int64_t step = 0;                         // updates of this parameter, from 1
  double correction1 = 1, correction2 = 1;  // 1 - beta^step: what the means of so many updates add up to

  void set_step(int64_t updates) {
    step = updates;
    correction1 = 1 - elementary::pow(beta1, static_cast<double>(step));
    correction2 = 1 - elementary::pow(beta2, static_cast<double>(step));
  }
};

// The update equations, in f32 and f64.
enum class UpdateKind { sgd, sgd_momentum, adagrad, adadelta, adam, adamw, radam };

template <class R>
using Update = void (*)(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s, R* __restrict t,
                        const UpdateScalars& a);

struct Updates {
  Update<float> f32;
  Update<double> f64;
};

// Those of the rung in use.
Updates updates_of(UpdateKind kind);

// Of a gradient, always summed up in the same order.
double square_sum(const float* g, int64_t n);
double square_sum(const double* g, int64_t n);

}  // namespace lookback::train::detail
