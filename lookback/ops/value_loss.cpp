#include "lookback/ops/value_loss.h"

#include <cmath>

#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

using Kind = ValueLossOptions::Kind;

struct Part {
  double loss, slope;  // by the prediction
};

Part part_of(const ValueLossOptions& o, double prediction, double target) {
  const double e = prediction - target;
  if (o.kind == Kind::squared) return {e * e, 2 * e};
  const double sign = e > 0 ? 1 : e < 0 ? -1 : 0;
  if (o.kind == Kind::absolute) return {std::abs(e), sign};
  if (std::abs(e) <= o.delta) return {e * e / 2, e};
  return {o.delta * (std::abs(e) - o.delta / 2), o.delta * sign};
}

Part quantile_part(double level, double prediction, double target) {
  const double e = target - prediction;
  return e >= 0 ? Part{2 * level * e, -2 * level} : Part{2 * (level - 1) * e, 2 * (1 - level)};
}

}  // namespace

ValueLossOut value_loss(const Var& prediction, const Tensor& targets, const ValueLossOptions& options) {
  const bool by_quantile = options.kind == Kind::quantile;
  const int64_t Q = by_quantile ? std::ssize(options.levels) : 1;
  check(targets.shape().rank() == 2 && targets.dtype() == prediction.dtype(), "value_loss: targets must be [N,H], got ",
        targets.shape());
  check(Q > 0 && prediction.shape() == Shape{targets.dim(0), targets.dim(1) * Q}, "value_loss: a prediction of ",
        prediction.shape(), " for targets ", targets.shape(), by_quantile ? str_cat(" at ", Q, " levels") : "");
  for (const double level : options.levels) check(0 < level && level < 1, "value_loss: no quantile level ", level);
  check(options.delta > 0, "value_loss: delta must be above 0");

  Tensor loss({1}, prediction.dtype()), slopes(prediction.shape(), prediction.dtype());
  ValueLossOut out;
  with_float(prediction.dtype(), [&]<class R>() {
    const R *const p = prediction.value().data<R>(), *const y = targets.data<R>();
    for (int64_t i = 0; i < targets.size(); ++i) {
      const bool there = !std::isnan(y[i]);
      out.values += there;
      for (int64_t q = 0; q < Q; ++q) {
        Part part{0, 0};
        if (there && by_quantile) part = quantile_part(options.levels[static_cast<size_t>(q)], p[i * Q + q], y[i]);
        if (there && !by_quantile) part = part_of(options, p[i], y[i]);
        out.loss_sum += part.loss / static_cast<double>(Q);
        slopes.data<R>()[i * Q + q] = static_cast<R>(options.scale * part.slope / static_cast<double>(Q));
      }
    }
    loss.data<R>()[0] = static_cast<R>(options.scale * out.loss_sum);
  });
  out.loss =
      record({loss}, {prediction}, [slopes](Node& node) { add_scaled_grad(node.inputs[0], slopes, node.grads[0]); })[0];
  return out;
}

}  // namespace lookback::ops
