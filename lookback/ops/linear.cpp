#include "lookback/ops/linear.h"

#include <cstring>

#include "lookback/ops/internal.h"

namespace lookback::ops {

Var linear(const Var& x, const Var& w, const LinearOptions& options) {
  check(x.shape().rank() == 2 && w.shape().rank() == 2, "linear: x and w must be matrices, got ", x.shape(), " and ",
        w.shape());
  const auto range = options.columns.value_or(std::pair<int64_t, int64_t>{0, w.dim(1)});
  const Columns columns{range.first, range.second};
  const int64_t N = x.dim(0), I = x.dim(1), O = w.dim(0);
  check(0 <= columns.begin && columns.begin <= columns.end && columns.end <= w.dim(1), "linear: columns [",
        columns.begin, ",", columns.end, ") of w ", w.shape());
  check(columns.size() == I, "linear: x ", x.shape(), " does not fit ", columns.size(), " columns of w ", w.shape());
  check(!options.bias || options.bias.shape() == Shape{O}, "linear: bias must be ", Shape{O});
  check(!options.onto || options.onto.shape() == Shape{N, O}, "linear: onto must be ", Shape{N, O});
  Tensor y({N, O}, x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    if (options.onto) std::memcpy(y.bytes(), options.onto.value().bytes(), static_cast<size_t>(y.byte_size()));
    product(N, x.value().data<R>(), weight<R>(w, columns, Packing::forward), y.data<R>(),
            options.onto ? Write::onto : Write::over, data_or_null<R>(options.bias));
  });
  return record({y}, {x, w, options.bias, options.onto}, [=](Node& node) {
    const Tensor dy = node.grads[0];
    if (dy.empty()) return;
    const Var &in_x = node.inputs[0], &in_w = node.inputs[1], &bias = node.inputs[2], &onto = node.inputs[3];
    with_float(dy.dtype(), [&]<class R>() {
      // forward: y = x w^T
      if (const auto dx = grad_target<R>(in_x); dx.data)
        transposed_product(N, dy.data<R>(), weight<R>(in_w, columns, Packing::backward), dx.data, dx.write);
      if (R* d = grad_or_null<R>(onto))
        kernels::best<R>().axpy({.size = dy.size(), .alpha = R{1}, .x = dy.data<R>(), .y = d});
    });
    add_weight_grad(in_w, columns, in_x.value(), dy);
    add_bias_grad(bias, dy);
  })[0];
}

}  // namespace lookback::ops
