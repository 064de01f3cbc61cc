#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/train/update_rules.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include <cmath>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "lookback/train/update_rules.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::train::detail::HWY_NAMESPACE {

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
HWY_INLINE void adam_update(int64_t n, R* __restrict w, const R* __restrict g, R* __restrict s, R* __restrict t,
                            const UpdateScalars& a, bool decoupled) {
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

template <class R>
Update<R> update_of(UpdateKind kind) {
  switch (kind) {
    case UpdateKind::sgd:
      return &sgd<R>;
    case UpdateKind::sgd_momentum:
      return &sgd_momentum<R>;
    case UpdateKind::adagrad:
      return &adagrad<R>;
    case UpdateKind::adadelta:
      return &adadelta<R>;
    case UpdateKind::adam:
      return &adam<R>;
    case UpdateKind::adamw:
      return &adamw<R>;
    case UpdateKind::radam:
      return &radam<R>;
  }
  return nullptr;
}

Updates UpdatesOf(UpdateKind kind) { return {update_of<float>(kind), update_of<double>(kind)}; }

// Sums side by side: the compiler may not reorder one, but keeps these in registers. They read four stretches at once,
// as memory is faster so.
template <class R>
HWY_INLINE double sum_of_squares(const R* __restrict g, int64_t n) {
  constexpr int kStretches = 4, kLanes = 8;
  double lane[kStretches][kLanes] = {};
  const int64_t stretch = n / (kStretches * kLanes) * kLanes;
  for (int64_t k = 0; k < stretch; k += kLanes)
    for (int s = 0; s < kStretches; ++s)
      for (int j = 0; j < kLanes; ++j) {
        const auto x = static_cast<double>(g[s * stretch + k + j]);
        lane[s][j] += x * x;
      }
  for (int64_t k = kStretches * stretch; k < n; ++k)
    lane[0][k % kLanes] += static_cast<double>(g[k]) * static_cast<double>(g[k]);
  double sum = 0;
  for (const auto& side : lane)
    for (const double x : side) sum += x;
  return sum;
}

double SquareSumF32(const float* g, int64_t n) { return sum_of_squares(g, n); }
double SquareSumF64(const double* g, int64_t n) { return sum_of_squares(g, n); }

}  // namespace lookback::train::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookback::train::detail {
HWY_EXPORT(UpdatesOf);
HWY_EXPORT(SquareSumF32);
HWY_EXPORT(SquareSumF64);

Updates updates_of(UpdateKind kind) { return LOOKBACK_BEST(UpdatesOf)(kind); }
double square_sum(const float* g, int64_t n) { return LOOKBACK_BEST(SquareSumF32)(g, n); }
double square_sum(const double* g, int64_t n) { return LOOKBACK_BEST(SquareSumF64)(g, n); }

}  // namespace lookback::train::detail
#endif  // HWY_ONCE
