#include "lookback/ops/loss.h"

#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/ops/projected_rows.h"

namespace lookback::ops {
namespace {

// Row n of x times weights[first + n].
template <class R>
void scale_rows(const Tensor& x, const std::vector<double>& weights, int64_t first) {
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (R& value : x.rows(n, n + 1).template span<R>())
      value *= static_cast<R>(weights[static_cast<size_t>(first + n)]);
}

}  // namespace

XentOut projected_xent(const Var& hidden, const Var& w, const Var& bias, const std::vector<int32_t>& targets,
                       const XentOptions& options) {
  check_shapes("projected_xent", hidden, w, bias, targets);
  const int64_t N = hidden.dim(0), V = w.dim(0);
  check(options.weights.empty() || options.weights.size() == targets.size(), "projected_xent: ", options.weights.size(),
        " weights for ", N, " rows");
  for (const int32_t y : targets) check(0 <= y && y < V, "projected_xent: target ", y, " is not below ", V);
  const bool want = any_needs_grad({hidden, w, bias});
  XentRows rows(targets.size());
  XentGrads grads;
  with_float(hidden.dtype(), [&]<class R>() {
    grads = project_chunks<R>(hidden, w, bias, want, [&](int64_t first, const Tensor& logits) {
      rows.run<R>(logits, first, targets.data() + first, options, want);
      if (want && !options.weights.empty()) scale_rows<R>(logits, options.weights, first);
    });
  });
  return sum_up(std::move(rows), options, {hidden, w, bias}, std::array{grads.dhidden, grads.dw, grads.dbias});
}

BinaryXentOut binary_xent(const Var& logits, const Tensor& targets, const std::vector<double>& weights, double scale) {
  check(logits.shape().rank() == 2 && targets.shape() == logits.shape() && targets.dtype() == logits.dtype(),
        "binary_xent: logits ", logits.shape(), ", targets ", targets.shape());
  const int64_t N = logits.dim(0), K = logits.dim(1);
  check(weights.empty() || std::ssize(weights) == K, "binary_xent: ", weights.size(), " weights for ", K, " columns");
  Tensor loss({1}, logits.dtype()), dlogits(logits.shape(), logits.dtype());
  BinaryXentOut out;
  with_float(logits.dtype(), [&]<class R>() {
    for (int64_t i = 0; i < N * K; ++i) {
      const double z = logits.value().data<R>()[i], y = targets.data<R>()[i];
      const double w = weights.empty() ? 1 : weights[static_cast<size_t>(i % K)];
      const double e = elementary::exp(-std::abs(z));  // of what is unlikelier, against what is likelier
      const double softplus = std::max(z, 0.0) + elementary::log(1 + e), p = (z >= 0 ? 1 : e) / (1 + e);
      // forward: loss = w y (softplus(z) - z) + (1 - y) softplus(z)
      out.loss_sum += w * y * (softplus - z) + (1 - y) * softplus;
      dlogits.data<R>()[i] = static_cast<R>(scale * (w * y * (p - 1) + (1 - y) * p));
    }
    loss.data<R>()[0] = static_cast<R>(scale * out.loss_sum);
  });
  out.loss = record({loss}, {logits}, [dlogits](Node& node) {
    with_float(dlogits.dtype(), [&]<class R>() { scale_by<R>(dlogits, node.grads[0].data<R>()[0]); });
    give_grad(node.inputs[0], dlogits);
  })[0];
  return out;
}

}  // namespace lookback::ops
