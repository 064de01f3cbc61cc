// Private to ops: gradients to write to, and weights ready for fast products.
#pragma once

#include "lookback/autograd/var.h"
#include "lookback/kernels/kernels.h"

namespace lookback::ops {

// Columns [begin, end) of a weight.
struct Columns {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
  auto operator<=>(const Columns&) const = default;
};

template <class R>
const R* data_or_null(const Var& v) {
  return v ? v.value().data<R>() : nullptr;
}

template <class R>
const R* data_or_null(const Tensor& t) {
  return t.empty() ? nullptr : t.data<R>();
}

// Where to add the gradient of an input; null if nobody wants it.
template <class R>
R* grad_or_null(const Var& in) {
  return in.needs_grad() ? in.grad_buffer().data<R>() : nullptr;
}

// The same for kernels that can write instead of add: the first writer need not clear the buffer.
template <class R>
struct GradTarget {
  R* data = nullptr;
  bool accumulate = true;
};

template <class R>
GradTarget<R> grad_target(const Var& in) {
  if (!in.needs_grad()) return {};
  Tensor& g = in.node().grads[static_cast<size_t>(in.output())];
  const bool fresh = g.empty();
  if (fresh) g = Tensor(in.shape(), in.dtype());
  return {g.data<R>(), !fresh};
}

// Adds `g`, which the caller gives up, to the gradient of an input.
void give_grad(const Var& in, Tensor g);

// The weight w[:, columns] with its packed copies, which are made the first time
// and kept with w until its value changes.
enum class Packing { forward, backward };
template <class R>
kernels::Weight<R> weight(const Var& w, Columns columns, Packing packing);

template <class R>
kernels::Weight<R> weight(const Var& w, Packing packing) {
  return weight<R>(w, {0, w.dim(1)}, packing);
}

// dw[:, columns] += dy^T x. Put off until all users of w have added theirs, one product instead of many, unless
// there are so many rows that waiting would gain nothing and keep them in memory.
void add_weight_grad(const Var& w, Columns columns, const Tensor& x, const Tensor& dy);

// db += column sums of dy
void add_bias_grad(const Var& b, const Tensor& dy);

}  // namespace lookback::ops
