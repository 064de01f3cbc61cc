#include "lookback/ops/context_gate.h"

#include <algorithm>

#include "lookback/base/elementary.h"
#include "lookback/ops/internal.h"

namespace lookback::ops {

Var mul_rows(const Var& x, const Var& factor) {
  check(x.shape().rank() == 2 && factor.shape() == Shape{x.dim(0), 1} && factor.dtype() == x.dtype(),
        "mul_rows: factors ", factor.shape(), " for ", x.shape());
  const int64_t N = x.dim(0), C = x.dim(1);
  Tensor y(x.shape(), x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    const R *from = x.value().data<R>(), *f = factor.value().data<R>();
    for (int64_t n = 0; n < N; ++n)
      for (int64_t c = 0; c < C; ++c) y.data<R>()[n * C + c] = f[n] * from[n * C + c];
  });
  return record({y}, {x, factor}, [N, C](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      const R *from = node.inputs[0].value().data<R>(), *f = node.inputs[1].value().data<R>();
      const R* const dy = node.grads[0].data<R>();
      R *dx = grad_or_null<R>(node.inputs[0]), *df = grad_or_null<R>(node.inputs[1]);
      for (int64_t n = 0; n < N; ++n) {
        if (dx)
          for (int64_t c = 0; c < C; ++c) dx[n * C + c] += f[n] * dy[n * C + c];
        if (!df) continue;
        R sum = 0;
        for (int64_t c = 0; c < C; ++c) sum += from[n * C + c] * dy[n * C + c];
        df[n] += sum;
      }
    });
  })[0];
}

Var log_sum_exp(const Var& energies, const Visible& visible) {
  check_rows("log_sum_exp", visible);
  const int64_t N = visible.N(), T = visible.T();
  check(energies.shape() == Shape{N, T}, "log_sum_exp: energies must be ", Shape{N, T}, ", got ", energies.shape());
  std::vector<int64_t> spans;
  for (int64_t n = 0; n < N; ++n) {
    const auto k = static_cast<size_t>(n);
    spans.push_back(visible.begin ? int64_t{(*visible.end)[k]} - (*visible.begin)[k]
                                  : visible.memory.length((*visible.sentence_of_row)[k]));
  }
  Tensor out({N, 1}, energies.dtype());
  with_float(out.dtype(), [&]<class R>() {
    for (int64_t n = 0; n < N; ++n) {
      const R* const e = energies.value().data<R>() + n * T;
      const int64_t span = spans[static_cast<size_t>(n)];
      const R most = span ? *std::max_element(e, e + span) : R{0};
      double sum = 0;
      for (int64_t t = 0; t < span; ++t) sum += elementary::exp(static_cast<double>(e[t] - most));
      out.data<R>()[n] = span ? static_cast<R>(static_cast<double>(most) + elementary::log(sum)) : R{-1e30F};
    }
  });
  return record({out}, {energies}, [N, T, spans, out](Node& node) {
    with_float(out.dtype(), [&]<class R>() {
      const R* const e = node.inputs[0].value().data<R>();
      R* const d = node.inputs[0].grad_buffer().data<R>();
      for (int64_t n = 0; n < N; ++n)
        for (int64_t t = 0; t < spans[static_cast<size_t>(n)]; ++t)
          d[n * T + t] += node.grads[0].data<R>()[n] *
                          static_cast<R>(elementary::exp(static_cast<double>(e[n * T + t] - out.data<R>()[n])));
    });
  })[0];
}

Var doubly_stochastic_loss(const Var& weights, const std::vector<int32_t>& sequence_of_row,
                           const std::vector<int64_t>& lengths) {
  const int64_t N = std::ssize(sequence_of_row), B = std::ssize(lengths), T = weights.dim(1);
  check(weights.shape() == Shape{N, T}, "doubly_stochastic_loss: weights ", weights.shape(), " for ", N, " rows");
  for (const int32_t b : sequence_of_row)
    check(0 <= b && b < B, "doubly_stochastic_loss: no sequence ", b, " among ", B);
  for (const int64_t length : lengths)
    check(0 <= length && length <= T, "doubly_stochastic_loss: ", length, " positions in ", weights.shape());
  Tensor missing = Tensor::zeros({B, T}, weights.dtype());  // 1 - the sum, of each position that there is
  Tensor sum({1}, weights.dtype());
  with_float(sum.dtype(), [&]<class R>() {
    R* const m = missing.data<R>();
    for (int64_t b = 0; b < B; ++b) std::fill_n(m + b * T, lengths[static_cast<size_t>(b)], R{1});
    for (int64_t n = 0; n < N; ++n) {
      const int32_t b = sequence_of_row[static_cast<size_t>(n)];
      for (int64_t t = 0; t < lengths[static_cast<size_t>(b)]; ++t)
        m[b * T + t] -= weights.value().data<R>()[n * T + t];
    }
    double total = 0;
    for (int64_t k = 0; k < missing.size(); ++k) total += static_cast<double>(m[k]) * static_cast<double>(m[k]);
    sum.data<R>()[0] = static_cast<R>(total);
  });
  return record({sum}, {weights}, [N, T, missing, sequence_of_row](Node& node) {
    with_float(missing.dtype(), [&]<class R>() {
      R* const d = node.inputs[0].grad_buffer().data<R>();
      const R g = -2 * node.grads[0].data<R>()[0];
      for (int64_t n = 0; n < N; ++n)
        for (int64_t t = 0; t < T; ++t)
          d[n * T + t] += g * missing.data<R>()[sequence_of_row[static_cast<size_t>(n)] * T + t];
    });
  })[0];
}

}  // namespace lookback::ops
