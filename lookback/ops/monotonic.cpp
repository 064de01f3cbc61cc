#include "lookback/ops/monotonic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "lookback/base/elementary.h"
#include "lookback/base/parallel.h"
#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

constexpr int64_t kRows = 8;  // that one thread takes at a time

// f(n, length) for every row n with what it sees, several at once.
template <class F>
void each_row(const Visible& visible, F&& f) {
  const kernels::Memory memory = view(visible);
  parallel_for(memory.N, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) f(n, memory.seen_by(n).length);
  });
}

// Two standard normal numbers, by Box and Muller.
std::array<double, 2> two_normals(const Stream& stream, uint64_t index) {
  constexpr double pi = 3.141592653589793;
  const auto words = stream.words(index);
  const double length = std::sqrt(-2 * elementary::log((words[0] + 1.0) * 0x1p-32)),
               angle = 2 * pi * words[1] * 0x1p-32;
  return {length * elementary::cos(angle), length * elementary::cos(angle - pi / 2)};
}

// energies + bias + noise
template <class R>
Tensor shifted(const Var& energies, const Var& bias, const Visible& visible, const EnergyNoise& noise) {
  const Tensor out = Tensor::zeros(energies.shape(), energies.dtype());
  const int64_t T = energies.dim(1);
  const R r = bias.value().data<R>()[0];
  each_row(visible, [&](int64_t n, int64_t length) {
    const R* const from = energies.value().data<R>() + n * T;
    R* const to = out.data<R>() + n * T;
    for (int64_t t = 0; t < length; ++t) to[t] = from[t] + r;
    for (int64_t t = 0; noise.deviation > 0 && t < length; t += 2) {
      const auto drawn = two_normals(noise.stream, static_cast<uint64_t>(n * ((T + 1) / 2) + t / 2));
      for (int64_t k = 0; k < std::min<int64_t>(2, length - t); ++k)
        to[t + k] += static_cast<R>(noise.deviation * drawn[static_cast<size_t>(k)]);
    }
  });
  return out;
}

void check_alignment(const char* name, const Var& energies, const Var& bias, const Var& before,
                     const Visible& visible) {
  check_rows(name, visible);
  const Shape expected{visible.N(), visible.T()};
  check(energies.shape() == expected, name, ": energies must be ", expected, ", got ", energies.shape());
  check(before.shape() == expected, name, ": the weights before must be ", expected, ", got ", before.shape());
  check(bias.shape() == Shape{1}, name, ": the bias must be [1], got ", bias.shape());
}

}  // namespace

Var weight_norm(const Var& v, const Var& g) {
  check(v.shape().rank() == 1 && g.shape() == Shape{1}, "weight_norm: v must be [A] and g [1], got ", v.shape(),
        " and ", g.shape());
  constexpr double kTiny = 1e-24;  // under the root: zeros stay zeros
  const int64_t A = v.dim(0);
  Tensor out({A}, v.dtype());
  double squares = kTiny;
  with_float(v.dtype(), [&]<class R>() {
    const R* const x = v.value().data<R>();
    for (int64_t k = 0; k < A; ++k) squares += static_cast<double>(x[k]) * x[k];
    const double factor = g.value().data<R>()[0] / std::sqrt(squares);
    for (int64_t k = 0; k < A; ++k) out.data<R>()[k] = static_cast<R>(factor * x[k]);
  });
  return record({out}, {v, g}, [=](Node& node) {
    with_float(out.dtype(), [&]<class R>() {
      const R* const x = node.inputs[0].value().data<R>();
      const R* const dout = node.grads[0].data<R>();
      R *const dv = grad_or_null<R>(node.inputs[0]), *const dg = grad_or_null<R>(node.inputs[1]);
      const double inverse = 1 / std::sqrt(squares), factor = node.inputs[1].value().data<R>()[0] * inverse;
      double along = 0;
      for (int64_t k = 0; k < A; ++k) along += static_cast<double>(dout[k]) * x[k] * inverse;
      // forward: out = g v / |v|
      if (dg) dg[0] += static_cast<R>(along);
      for (int64_t k = 0; dv && k < A; ++k) dv[k] += static_cast<R>(factor * (dout[k] - along * x[k] * inverse));
    });
  })[0];
}

Alignment expected_alignment(const Var& energies, const Var& bias, const Var& before, const Visible& visible,
                             const EnergyNoise& noise) {
  check_alignment("expected_alignment", energies, bias, before, visible);
  const Dtype d = energies.dtype();
  const int64_t N = visible.N(), T = visible.T();
  const Tensor weights = Tensor::zeros({N, T}, d);
  Tensor p({N, T}, d), q({N, T}, d), sums;
  with_float(d, [&]<class R>() {
    sums = shifted<R>(energies, bias, visible, noise);
    kernels::best<R>().unary({kernels::Unary::sigmoid, N * T, sums.data<R>(), p.data<R>()});
    each_row(visible, [&](int64_t n, int64_t length) {
      const R *const pn = p.data<R>() + n * T, *const an = before.value().data<R>() + n * T;
      R *const qn = q.data<R>() + n * T, *const wn = weights.data<R>() + n * T;
      for (int64_t t = 0; t < length; ++t) {
        qn[t] = an[t] + (t ? (1 - pn[t - 1]) * qn[t - 1] : 0);
        wn[t] = pn[t] * qn[t];
      }
    });
  });
  const Var out = record({weights}, {energies, bias, before}, [=](Node& node) {
    with_float(d, [&]<class R>() {
      R *const denergies = grad_or_null<R>(node.inputs[0]), *const dbias = grad_or_null<R>(node.inputs[1]),
               *const dbefore = grad_or_null<R>(node.inputs[2]);
      std::vector<double> of_row(static_cast<size_t>(N));
      each_row(visible, [&](int64_t n, int64_t length) {
        const R *const pn = p.data<R>() + n * T, *const qn = q.data<R>() + n * T;
        const R* const dw = node.grads[0].data<R>() + n * T;
        R dq_next = 0;
        for (int64_t t = length - 1; t >= 0; --t) {
          // forward: weights[t] = p[t] q[t], q[t+1] = before[t+1] + (1 - p[t]) q[t]
          const R dp = qn[t] * (dw[t] - dq_next), dq = pn[t] * dw[t] + (1 - pn[t]) * dq_next;
          const R de = dp * pn[t] * (1 - pn[t]);
          if (denergies) denergies[n * T + t] += de;
          if (dbefore) dbefore[n * T + t] += dq;
          of_row[static_cast<size_t>(n)] += de;
          dq_next = dq;
        }
      });
      double sum = 0;
      for (const double x : of_row) sum += x;
      if (dbias) dbias[0] += static_cast<R>(sum);
    });
  })[0];
  return {out, sums};
}

Alignment hard_alignment(const Var& energies, const Var& bias, const Var& before, const Visible& visible) {
  check_alignment("hard_alignment", energies, bias, before, visible);
  const int64_t T = visible.T();
  const Tensor weights = Tensor::zeros(energies.shape(), energies.dtype());
  Tensor sums;
  with_float(energies.dtype(), [&]<class R>() {
    sums = shifted<R>(energies, bias, visible, {});
    each_row(visible, [&](int64_t n, int64_t length) {
      const R *const e = sums.data<R>() + n * T, *const before_n = before.value().data<R>() + n * T;
      int64_t t = std::max_element(before_n, before_n + length) - before_n;
      if (t < length && !(before_n[t] > 0)) t = length;
      while (t < length && !(e[t] >= 0)) ++t;
      if (t < length) weights.data<R>()[n * T + t] = 1;
    });
  });
  return {Var(weights), sums};
}

}  // namespace lookback::ops
