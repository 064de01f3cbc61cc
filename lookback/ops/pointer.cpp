#include "lookback/ops/pointer.h"

#include <algorithm>

#include "lookback/base/elementary.h"
#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

// Columns of each row.
std::vector<int64_t> spans_of(const char* op, const Var& energies, const Visible& visible) {
  const int64_t N = visible.N(), T = visible.T();
  check(energies.shape() == Shape{N, T}, op, ": energies ", energies.shape(), " for ", N, " rows of at most ", T,
        " positions");
  std::vector<int64_t> out;
  for (size_t n = 0; n < static_cast<size_t>(N); ++n) {
    const int32_t s = (*visible.sentence_of_row)[n];
    check(0 <= s && s < visible.memory.sentences(), op, ": sentence ", s, " of ", visible.memory.sentences());
    out.push_back(visible.begin ? (*visible.end)[n] - (*visible.begin)[n] : visible.memory.length(s));
  }
  return out;
}

}  // namespace

XentOut pointer_xent(const Var& energies, const Visible& visible, const std::vector<int32_t>& targets, double scale) {
  const std::vector<int64_t> spans = spans_of("pointer_xent", energies, visible);
  check(targets.size() == spans.size(), "pointer_xent: ", targets.size(), " targets for ", spans.size(), " rows");
  const int64_t T = energies.dim(1);
  XentOut out;
  Tensor loss({1}, energies.dtype()), gradient = Tensor::zeros(energies.shape(), energies.dtype());
  with_float(energies.dtype(), [&]<class R>() {
    for (size_t n = 0; n < spans.size(); ++n) {
      const int32_t y = targets[n];
      check(0 <= y && y < spans[n], "pointer_xent: target ", y, " of a span of ", spans[n]);
      const R* const x = energies.value().data<R>() + static_cast<int64_t>(n) * T;
      R* const dx = gradient.data<R>() + static_cast<int64_t>(n) * T;
      std::vector<double> p(x, x + spans[n]);
      const double log_sum = elementary::softmax(p);
      out.nll_sum += log_sum - static_cast<double>(x[y]);
      out.is_correct.push_back(std::max_element(x, x + spans[n]) - x == y);
      // forward: loss = log sum_t e^x[t] - x[y]
      for (size_t t = 0; t < p.size(); ++t)
        dx[t] = static_cast<R>(scale * (p[t] - (static_cast<int32_t>(t) == y ? 1.0 : 0.0)));
    }
    loss.data<R>()[0] = static_cast<R>(scale * out.nll_sum);
  });
  out.loss_sum = out.nll_sum;
  out.correct = std::ranges::count(out.is_correct, 1);
  out.loss = record({loss}, {energies}, [gradient](Node& node) {
    Tensor dx(gradient.shape(), gradient.dtype());
    with_float(dx.dtype(), [&]<class R>() {
      const R upstream = node.grads[0].data<R>()[0];
      std::ranges::transform(gradient.span<R>(), dx.data<R>(), [&](R g) { return upstream * g; });
    });
    give_grad(node.inputs[0], dx);
  })[0];
  return out;
}

Var span_max(const Var& energies, const Visible& visible) {
  const std::vector<int64_t> spans = spans_of("span_max", energies, visible);
  const auto N = std::ssize(spans), T = energies.dim(1);
  Tensor largest = Tensor::zeros({N, 1}, energies.dtype());
  std::vector<int64_t> at(spans.size(), -1);
  with_float(energies.dtype(), [&]<class R>() {
    for (int64_t n = 0; n < N; ++n) {
      const R* const x = energies.value().data<R>() + n * T;
      if (spans[static_cast<size_t>(n)] == 0) continue;
      const auto k = std::max_element(x, x + spans[static_cast<size_t>(n)]) - x;
      at[static_cast<size_t>(n)] = k, largest.data<R>()[n] = x[k];
    }
  });
  return record({largest}, {energies}, [at, shape = energies.shape(), T](Node& node) {
    Tensor dx = Tensor::zeros(shape, node.grads[0].dtype());
    with_float(dx.dtype(), [&]<class R>() {
      for (int64_t n = 0; n < std::ssize(at); ++n)
        if (at[static_cast<size_t>(n)] >= 0)
          dx.data<R>()[n * T + at[static_cast<size_t>(n)]] = node.grads[0].data<R>()[n];
    });
    give_grad(node.inputs[0], dx);
  })[0];
}

}  // namespace lookback::ops
