// Private to ops: losses of a softmax over the rows of a projection. The [N, V] matrix of logits is never held whole.
#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <vector>

#include "lookback/ops/internal.h"
#include "lookback/ops/loss.h"

namespace lookback::ops {

// Logits held at once; 32 MiB in f32.
inline constexpr int64_t kChunkElements = int64_t{8} << 20;

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

template <class R>
void scale_by(const Tensor& t, R factor) {
  if (factor != R{1})
    for (R& x : t.span<R>()) x *= factor;
}

// Calls f(first, logits) for logits [n, V] of rows first .. first + n, a chunk at a time. Where gradients are wanted, f
// leaves those of the logits in their place, and they are taken on to hidden, w and bias.
template <class R, class F>
XentGrads project_chunks(const Var& hidden, const Var& w, const Var& bias, bool want, F&& f) {
  const int64_t N = hidden.dim(0), V = w.dim(0), H = w.dim(1);
  XentGrads grads;
  if (want && hidden.needs_grad()) grads.dhidden = Tensor({N, H}, hidden.dtype());
  if (want && w.needs_grad()) grads.dw = N ? Tensor({V, H}, w.dtype()) : Tensor::zeros({V, H}, w.dtype());
  if (want && bias.needs_grad()) grads.dbias = Tensor::zeros({V}, w.dtype());
  const int64_t chunk = std::max<int64_t>(64, kChunkElements / std::max<int64_t>(1, V));
  const auto weights = weight<R>(w, {0, H}, Packing::forward, std::min(chunk, N));
  for (int64_t first = 0; first < N; first += chunk) {
    const int64_t n = std::min(chunk, N - first);
    Tensor logits({n, V}, hidden.dtype());
    product(n, hidden.value().data<R>() + first * H, weights, logits.data<R>(), Write::overwrite,
            data_or_null<R>(bias));
    f(first, logits);
    if (want) chunk_grads<R>(hidden.value(), w, logits, grads, first);
  }
  return grads;
}

inline void check_shapes(const char* op, const Var& hidden, const Var& w, const Var& bias,
                         const std::vector<int32_t>& targets) {
  const int64_t N = hidden.dim(0), V = w.dim(0), H = w.dim(1);
  check(hidden.shape() == Shape{N, H}, op, ": hidden ", hidden.shape(), " does not fit w ", w.shape());
  check(!bias || bias.shape() == Shape{V}, op, ": bias must be ", Shape{V});
  check(std::ssize(targets) == N, op, ": ", targets.size(), " targets for ", N, " rows");
}

// What the softmax says of some rows, and in place of their logits the gradients.
struct XentRows {
  std::vector<double> losses, nlls;
  std::vector<int8_t> correct;
  explicit XentRows(size_t N) : losses(N), nlls(N), correct(N) {}

  template <class R>
  void run(const Tensor& logits, int64_t first, const int32_t* targets, const XentOptions& options, bool want) {
    kernels::best<R>().softmax_xent({.N = logits.dim(0),
                                     .V = logits.dim(1),
                                     .smoothing = options.smoothing,
                                     .scale = static_cast<R>(options.scale),
                                     .targets = targets,
                                     .logits = logits.data<R>(),
                                     .want_grad = want,
                                     .losses = losses.data() + first,
                                     .nlls = nlls.data() + first,
                                     .correct = correct.data() + first});
  }
};

// The sums over rows, and the loss with its gradients on the tape.
template <size_t K>
XentOut sum_up(XentRows rows, const XentOptions& options, std::vector<Var> inputs, std::array<Tensor, K> grads) {
  XentOut out;
  for (size_t n = 0; n < rows.losses.size(); ++n)
    out.loss_sum += (options.weights.empty() ? 1 : options.weights[n]) * rows.losses[n], out.nll_sum += rows.nlls[n],
        out.correct += rows.correct[n];
  out.is_correct = std::move(rows.correct);
  const Dtype d = inputs[0].dtype();
  Tensor loss({1}, d);
  with_float(d, [&]<class R>() { loss.data<R>()[0] = static_cast<R>(options.scale * out.loss_sum); });
  out.loss = record({loss}, std::move(inputs), [grads = std::move(grads)](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      const R upstream = node.grads[0].data<R>()[0];
      for (const Tensor& g : grads)
        if (!g.empty()) scale_by<R>(g, upstream);
    });
    for (size_t k = 0; k < K; ++k) give_grad(node.inputs[k], grads[k]);
  })[0];
  return out;
}

inline bool any_needs_grad(std::initializer_list<Var> inputs) {
  return grad_enabled() && std::ranges::any_of(inputs, [](const Var& x) { return x.needs_grad(); });
}

}  // namespace lookback::ops
