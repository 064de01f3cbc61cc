// Private to train: the update equations, one pass over one block of one parameter.
// w: value, g: gradient, s, t: state of the same size (null where a kind needs none).
#pragma once

#include <cmath>
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

// Every rule works on its own copies of the scalars, in the type of the elements, as torch does.
template <class R>
void sgd(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict, R* __restrict, const UpdateScalars& a) {
  const R lr = R(a.lr), scale = R(a.grad_scale), decay = R(a.weight_decay);
  for (int64_t k = 0; k < n; ++k) w[k] -= lr * (g[k] * scale + decay * w[k]);
}

// s: momentum buffer
template <class R>
void sgd_momentum(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s, R* __restrict,
                  const UpdateScalars& a) {
  const R lr = R(a.lr), scale = R(a.grad_scale), decay = R(a.weight_decay), momentum = R(a.momentum);
  const R own = a.nesterov ? R(1) : R(0), ahead = a.nesterov ? momentum : R(1);
  for (int64_t k = 0; k < n; ++k) {
    const R d = g[k] * scale + decay * w[k];
    const R buffer = momentum * s[k] + d;
    s[k] = buffer;
    w[k] -= lr * (own * d + ahead * buffer);
  }
}

// s: sum of squares
template <class R>
void adagrad(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s, R* __restrict,
             const UpdateScalars& a) {
  const R lr = R(a.lr), scale = R(a.grad_scale), decay = R(a.weight_decay), eps = R(a.epsilon);
  for (int64_t k = 0; k < n; ++k) {
    const R d = g[k] * scale + decay * w[k];
    const R sum = s[k] + d * d;
    s[k] = sum;
    w[k] -= lr * d / (std::sqrt(sum) + eps);
  }
}

// s: running mean of squared gradients, t: of squared updates
template <class R>
void adadelta(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s, R* __restrict t,
              const UpdateScalars& a) {
  const R lr = R(a.lr), scale = R(a.grad_scale), decay = R(a.weight_decay), eps = R(a.epsilon);
  const R rho = R(a.rho), rest = R(1 - a.rho);
  for (int64_t k = 0; k < n; ++k) {
    const R d = g[k] * scale + decay * w[k];
    const R square = rho * s[k] + rest * d * d;
    const R update = std::sqrt(t[k] + eps) / std::sqrt(square + eps) * d;
    s[k] = square;
    t[k] = rho * t[k] + rest * update * update;
    w[k] -= lr * update;
  }
}

// The first and second moment, m and v, that the three Adams share.
template <class R>
struct Moments {
  R rest1, beta2, rest2;
  explicit Moments(const UpdateScalars& a) : rest1(R(1 - a.beta1)), beta2(R(a.beta2)), rest2(R(1 - a.beta2)) {}
  R first(R m, R d) const { return m + rest1 * (d - m); }
  R second(R v, R d) const { return beta2 * v + rest2 * d * d; }
};

// s: m, t: v. Adam with L2 weight decay, or (decoupled) AdamW.
template <class R>
[[gnu::always_inline]] inline void adam_update(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s,
                                               R* __restrict t, const UpdateScalars& a, bool decoupled) {
  const R size = R(a.lr / a.correction1), widen = R(1 / std::sqrt(a.correction2)), eps = R(a.epsilon);
  const R scale = R(a.grad_scale), decay = R(decoupled ? 0 : a.weight_decay);
  const R shrink = R(decoupled ? 1 - a.lr * a.weight_decay : 1);
  const Moments<R> moments(a);
  for (int64_t k = 0; k < n; ++k) {
    const R d = g[k] * scale + decay * w[k];
    const R m = moments.first(s[k], d), v = moments.second(t[k], d);
    s[k] = m;
    t[k] = v;
    w[k] = w[k] * shrink - size * m / (std::sqrt(v) * widen + eps);
  }
}
template <class R>
void adam(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s, R* __restrict t, const UpdateScalars& a) {
  adam_update(n, w, g, s, t, a, false);
}
template <class R>
void adamw(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s, R* __restrict t,
           const UpdateScalars& a) {
  adam_update(n, w, g, s, t, a, true);
}

// s: m, t: v. The adaptive part is used once its variance is known well enough (rho_t > 5).
template <class R>
void radam(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s, R* __restrict t,
           const UpdateScalars& a) {
  const double step = static_cast<double>(a.step), power2 = 1 - a.correction2;
  const double rho_inf = 2 / (1 - a.beta2) - 1, rho = rho_inf - 2 * step * power2 / a.correction2;
  const bool adaptive = rho > 5;
  const double rectified = std::sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho));
  const R size = R(adaptive ? a.lr / a.correction1 * rectified * std::sqrt(a.correction2) : a.lr / a.correction1);
  const R scale = R(a.grad_scale), decay = R(a.weight_decay);
  // Without the adaptive part the denominator is 0 * sqrt(v) + 1.
  const R of_root = R(adaptive ? 1 : 0), rest = R(adaptive ? a.epsilon : 1);
  const Moments<R> moments(a);
  for (int64_t k = 0; k < n; ++k) {
    const R d = g[k] * scale + decay * w[k];
    const R m = moments.first(s[k], d), v = moments.second(t[k], d);
    s[k] = m;
    t[k] = v;
    w[k] -= size * m / (of_root * std::sqrt(v) + rest);
  }
}

}  // namespace lookback::train::detail
