#include "lookback/ops/pooling.h"

#include "lookback/ops/internal.h"

namespace lookback::ops {

Var max_rows(const Var& x, const MemoryLayout& memory) {
  check(x.shape().rank() == 2 && x.dim(0) == memory.rows(), "max_rows: x must be [", memory.rows(), ",*], got ",
        x.shape());
  const int64_t B = memory.sentences(), C = x.dim(1);
  Tensor out = Tensor::zeros({B, C}, x.dtype());
  auto rows = std::make_shared<std::vector<int32_t>>(static_cast<size_t>(B * C), -1);  // where each one stood
  with_float(x.dtype(), [&]<class R>() {
    const R* const from = x.value().data<R>();
    R* const to = out.data<R>();
    for (int64_t s = 0; s < B; ++s)
      for (int64_t t = memory.begin(s); t < memory.begin(s) + memory.length(s); ++t)
        for (int64_t c = 0; c < C; ++c) {
          int32_t& row = (*rows)[static_cast<size_t>(s * C + c)];
          if (row >= 0 && !(from[t * C + c] > to[s * C + c])) continue;
          to[s * C + c] = from[t * C + c];
          row = static_cast<int32_t>(t);
        }
  });
  return record({out}, {x}, [=](Node& node) {
    with_float(out.dtype(), [&]<class R>() {
      const R* const dout = node.grads[0].data<R>();
      R* const dx = grad_or_null<R>(node.inputs[0]);
      for (int64_t k = 0; dx && k < B * C; ++k)
        if (const int32_t row = (*rows)[static_cast<size_t>(k)]; row >= 0) dx[row * C + k % C] += dout[k];
    });
  })[0];
}

Var hops_penalty(const Var& weights, int64_t hops, const MemoryLayout& memory) {
  const int64_t B = memory.sentences(), T = memory.longest();
  check(hops > 0 && weights.shape() == Shape{B * hops, T}, "hops_penalty: weights must be ", Shape{B * hops, T},
        ", got ", weights.shape());
  Tensor sum({1}, weights.dtype());
  // A A^T - I of each sequence, [B, hops, hops].
  Tensor apart({B * hops, hops}, weights.dtype());
  with_float(weights.dtype(), [&]<class R>() {
    double total = 0;
    for (int64_t s = 0; s < B; ++s)
      for (int64_t i = 0; i < hops; ++i)
        for (int64_t j = 0; j < hops; ++j) {
          const R* const a = weights.value().data<R>() + (s * hops + i) * T;
          const R* const b = weights.value().data<R>() + (s * hops + j) * T;
          double product = i == j && memory.length(s) > 0 ? -1 : 0;
          for (int64_t t = 0; t < memory.length(s); ++t) product += static_cast<double>(a[t]) * b[t];
          apart.data<R>()[(s * hops + i) * hops + j] = static_cast<R>(product);
          total += product * product;
        }
    sum.data<R>()[0] = static_cast<R>(total);
  });
  return record({sum}, {weights}, [=](Node& node) {
    with_float(sum.dtype(), [&]<class R>() {
      const R* const w = node.inputs[0].value().data<R>();
      R* const dw = grad_or_null<R>(node.inputs[0]);
      // d |M|^2 / dA = 4 M A for the symmetric M = A A^T - I
      const R g = 4 * node.grads[0].data<R>()[0];
      for (int64_t s = 0; dw && s < B; ++s)
        for (int64_t i = 0; i < hops; ++i)
          for (int64_t j = 0; j < hops; ++j) {
            const R m = g * apart.data<R>()[(s * hops + i) * hops + j];
            for (int64_t t = 0; t < memory.length(s); ++t) dw[(s * hops + i) * T + t] += m * w[(s * hops + j) * T + t];
          }
    });
  })[0];
}

}  // namespace lookback::ops
