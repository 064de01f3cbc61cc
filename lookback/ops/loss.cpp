#include "lookback/ops/loss.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

// Logits held at once; 32 MiB in f32.
constexpr int64_t kChunkElements = int64_t{8} << 20;

// Gradients found on the way forward, for an upstream gradient of 1.
struct XentGrads {
  Tensor dhidden, dw, dbias;  // empty when nobody wants them
};

template <class R>
void chunk_grads(const Tensor& hidden, const Var& w, const Tensor& dlogits, const XentGrads& g, int64_t first) {
  const int64_t n = dlogits.dim(0), V = dlogits.dim(1), H = w.dim(1);
  // forward: logits = hidden w^T + bias
  if (!g.dhidden.empty())
    transposed_product(n, dlogits.data<R>(), weight<R>(w, {0, H}, Packing::backward, n),
                       g.dhidden.data<R>() + first * H, Write::overwrite);
  if (!g.dw.empty())
    gradient_product(g.dw, {0, H}, hidden.rows(first, first + n), dlogits,
                     first > 0 ? Write::accumulate : Write::overwrite);
  if (!g.dbias.empty())
    kernels::best<R>().column_sums({.N = n, .C = V, .ldx = V, .x = dlogits.data<R>(), .sums = g.dbias.data<R>()});
}

// Row n of x times weights[first + n].
template <class R>
void scale_rows(const Tensor& x, const std::vector<double>& weights, int64_t first) {
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (R& value : x.rows(n, n + 1).template span<R>())
      value *= static_cast<R>(weights[static_cast<size_t>(first + n)]);
}

template <class R>
void scale_by(const Tensor& t, R factor) {
  if (factor != R{1})
    for (R& x : t.span<R>()) x *= factor;
}

}  // namespace

XentOut projected_xent(const Var& hidden, const Var& w, const Var& bias, const std::vector<int32_t>& targets,
                       const XentOptions& options) {
  const int64_t N = hidden.dim(0), V = w.dim(0), H = w.dim(1);
  check(hidden.shape() == Shape{N, H}, "projected_xent: hidden ", hidden.shape(), " does not fit w ", w.shape());
  check(!bias || bias.shape() == Shape{V}, "projected_xent: bias must be ", Shape{V});
  check(static_cast<int64_t>(targets.size()) == N, "projected_xent: ", targets.size(), " targets for ", N, " rows");
  check(options.weights.empty() || options.weights.size() == targets.size(), "projected_xent: ", options.weights.size(),
        " weights for ", N, " rows");
  for (const int32_t y : targets) check(0 <= y && y < V, "projected_xent: target ", y, " is not below ", V);
  const Dtype d = hidden.dtype();
  const bool want = grad_enabled() && (hidden.needs_grad() || w.needs_grad() || bias.needs_grad());
  XentGrads grads;
  if (want && hidden.needs_grad()) grads.dhidden = Tensor({N, H}, d);
  if (want && w.needs_grad()) grads.dw = N ? Tensor({V, H}, d) : Tensor::zeros({V, H}, d);
  if (want && bias.needs_grad()) grads.dbias = Tensor::zeros({V}, d);

  std::vector<double> losses(static_cast<size_t>(N)), nlls(static_cast<size_t>(N));
  std::vector<int8_t> correct(static_cast<size_t>(N));
  Tensor loss({1}, d);
  const int64_t chunk = std::max<int64_t>(64, kChunkElements / std::max<int64_t>(1, V));
  with_float(d, [&]<class R>() {
    const auto weights = weight<R>(w, {0, H}, Packing::forward, std::min(chunk, N));
    for (int64_t first = 0; first < N; first += chunk) {
      const int64_t n = std::min(chunk, N - first);
      Tensor logits({n, V}, d);
      product(n, hidden.value().data<R>() + first * H, weights, logits.data<R>(), Write::overwrite,
              data_or_null<R>(bias));
      kernels::best<R>().softmax_xent({.N = n,
                                       .V = V,
                                       .smoothing = options.smoothing,
                                       .scale = static_cast<R>(options.scale),
                                       .targets = targets.data() + first,
                                       .logits = logits.data<R>(),
                                       .want_grad = want,
                                       .losses = losses.data() + first,
                                       .nlls = nlls.data() + first,
                                       .correct = correct.data() + first});
      if (want && !options.weights.empty()) scale_rows<R>(logits, options.weights, first);
      if (want) chunk_grads<R>(hidden.value(), w, logits, grads, first);
    }
  });
  XentOut out;
  for (size_t n = 0; n < losses.size(); ++n)
    out.loss_sum += (options.weights.empty() ? 1 : options.weights[n]) * losses[n], out.nll_sum += nlls[n],
        out.correct += correct[n];
  out.is_correct = std::move(correct);
  with_float(d, [&]<class R>() { loss.data<R>()[0] = static_cast<R>(options.scale * out.loss_sum); });
  out.loss = record({loss}, {hidden, w, bias}, [grads](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      const R upstream = node.grads[0].data<R>()[0];
      for (const Tensor& g : {grads.dhidden, grads.dw, grads.dbias})
        if (!g.empty()) scale_by<R>(g, upstream);
    });
    give_grad(node.inputs[0], grads.dhidden);
    give_grad(node.inputs[1], grads.dw);
    give_grad(node.inputs[2], grads.dbias);
  })[0];
  return out;
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
