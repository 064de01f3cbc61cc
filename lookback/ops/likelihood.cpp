#include "lookback/ops/likelihood.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/base/special_functions.h"
#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

constexpr double kHalfLogTwoPi = 0.9189385332046727;

// Of the spread: where values are forecast exactly, the density would have no largest value.
constexpr double kLeastScale = 1e-5;

struct Part {
  double loss;
  double slopes[3];  // by the parameters
};

Part gaussian_part(double location, double scale, double target) {
  const double z = (target - location) / scale;
  return {kHalfLogTwoPi + elementary::log(scale) + z * z / 2, {-z / scale, (1 - z * z) / scale, 0}};
}

// log(1 + u) - u / (1 + u) = w^2 / 2 + w^3 / 3 + ... with w = u / (1 + u)
double log1p_beyond(double u) {
  const double w = u / (1 + u);
  if (w > 0.1) return elementary::log1p(u) - w;
  double sum = 0, power = w;
  for (int k = 2; k <= 18; ++k) power *= w, sum += power / k;
  return sum;
}

Part student_t_part(double location, double scale, double df, double target) {
  const double z = (target - location) / scale, u = z * z / df, w = u / (1 + u), half = df / 2;
  return {kHalfLogTwoPi + elementary::log(scale) - special::log_half_step(half) + (df + 1) / 2 * elementary::log1p(u),
          {-(df + 1) / df * z / (1 + u) / scale, (1 - (df + 1) * w) / scale,
           (log1p_beyond(u) - w / df - special::half_step_slope(half)) / 2}};
}

Part part_of(Likelihood kind, const double* p, double target) {
  return kind == Likelihood::gaussian ? gaussian_part(p[0], p[1], target) : student_t_part(p[0], p[1], p[2], target);
}

void check_one(const char* what, Likelihood kind, std::span<const double> parameters) {
  check(std::ssize(parameters) == parameters_of(kind), what, ": ", parameters.size(), " parameters of a likelihood of ",
        parameters_of(kind));
}

}  // namespace

int64_t parameters_of(Likelihood kind) { return kind == Likelihood::gaussian ? 2 : 3; }

Var likelihood_parameters(const Var& raw, Likelihood kind, const Tensor& spread) {
  const int64_t P = parameters_of(kind);
  check(raw.shape().rank() == 2 && raw.dim(1) % P == 0, "likelihood_parameters: ", P, " for each value in ",
        raw.shape());
  check(spread.shape() == Shape{raw.dim(0)} && spread.dtype() == raw.dtype(), "likelihood_parameters: a spread ",
        spread.shape(), " for ", raw.shape());
  const int64_t N = raw.dim(0), W = raw.dim(1);
  Tensor out(raw.shape(), raw.dtype()), slopes(raw.shape(), raw.dtype());
  with_float(raw.dtype(), [&]<class R>() {
    for (int64_t n = 0; n < N; ++n)
      for (int64_t k = 0; k < W; ++k) {
        const double z = raw.value().data<R>()[n * W + k], unit = spread.data<R>()[n];
        double value = z * unit, slope = unit;
        if (const int64_t which = k % P; which > 0) {
          const double e = elementary::exp(-std::abs(z)), softplus = std::max(z, 0.0) + elementary::log1p(e),
                       sigmoid = (z >= 0 ? 1 : e) / (1 + e);
          value = which == 1 ? unit * (softplus + kLeastScale) : 2 + softplus;
          slope = which == 1 ? unit * sigmoid : sigmoid;
        }
        out.data<R>()[n * W + k] = static_cast<R>(value);
        slopes.data<R>()[n * W + k] = static_cast<R>(slope);
      }
  });
  return record({out}, {raw}, [slopes](Node& node) {
    with_float(slopes.dtype(), [&]<class R>() {
      R* const draw = node.inputs[0].grad_buffer().data<R>();
      const R* const dy = node.grads[0].data<R>();
      for (int64_t i = 0; i < slopes.size(); ++i) draw[i] += slopes.data<R>()[i] * dy[i];
    });
  })[0];
}

ValueLossOut likelihood_loss(const Var& parameters, const Tensor& targets, Likelihood kind, double scale) {
  const int64_t P = parameters_of(kind);
  check(targets.shape().rank() == 2 && targets.dtype() == parameters.dtype(),
        "likelihood_loss: targets must be [N,H], got ", targets.shape());
  check(parameters.shape() == Shape{targets.dim(0), targets.dim(1) * P}, "likelihood_loss: parameters ",
        parameters.shape(), " for targets ", targets.shape(), ", ", P, " for each");
  Tensor loss({1}, parameters.dtype()), slopes(parameters.shape(), parameters.dtype());
  ValueLossOut out;
  with_float(parameters.dtype(), [&]<class R>() {
    const R *const p = parameters.value().data<R>(), *const y = targets.data<R>();
    double one[3];
    for (int64_t i = 0; i < targets.size(); ++i) {
      const bool there = !std::isnan(y[i]);
      out.values += there;
      std::copy_n(p + i * P, P, one);
      const Part part = there ? part_of(kind, one, y[i]) : Part{0, {0, 0, 0}};
      out.loss_sum += part.loss;
      for (int64_t k = 0; k < P; ++k) slopes.data<R>()[i * P + k] = static_cast<R>(scale * part.slopes[k]);
    }
    loss.data<R>()[0] = static_cast<R>(scale * out.loss_sum);
  });
  out.loss =
      record({loss}, {parameters}, [slopes](Node& node) { add_scaled_grad(node.inputs[0], slopes, node.grads[0]); })[0];
  return out;
}

double quantile(Likelihood kind, std::span<const double> parameters, double level) {
  check_one("quantile", kind, parameters);
  check(0 < level && level < 1, "quantile: no level ", level);
  const double z = kind == Likelihood::gaussian ? special::normal_quantile(level)
                                                : special::student_t_quantile(parameters[2], level);
  return parameters[0] + parameters[1] * z;
}

double sample(Likelihood kind, std::span<const double> parameters, Rng& rng) {
  check_one("sample", kind, parameters);
  double z = rng.normal();
  // Chi-squared with df degrees of freedom is twice a gamma variable of shape df / 2.
  if (kind == Likelihood::student_t) z /= std::sqrt(2 * rng.gamma(parameters[2] / 2) / parameters[2]);
  return parameters[0] + parameters[1] * z;
}

}  // namespace lookback::ops
