// Private to ops: gradients to write to, and weights ready for fast products.
#pragma once

#include <initializer_list>
#include <vector>

#include "lookback/autograd/var.h"
#include "lookback/kernels/kernels.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/basic.h"

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

// What kernels of attention ask about its rows.
kernels::Memory view(const Visible& visible);
// Throws ShapeError unless every row sees positions that there are, of a sentence that there is.
void check_rows(const char* name, const Visible& visible);

// Whether a product replaces what stands where it goes, or is added to it.
enum class Write { overwrite, accumulate };

// The same for kernels that can write instead of add: the first writer need not clear the buffer.
template <class R>
struct GradTarget {
  R* data = nullptr;
  Write write = Write::accumulate;
};

template <class R>
GradTarget<R> grad_target(const Var& in) {
  if (!in.needs_grad()) return {};
  Tensor& g = in.node().whole_grad(in.output());
  const bool fresh = g.empty();
  if (fresh) g = Tensor(in.shape(), in.dtype());
  return {g.data<R>(), fresh ? Write::overwrite : Write::accumulate};
}

// Adds `g`, which the caller gives up, to the gradient of an input.
void give_grad(const Var& in, Tensor g);

// Adds `factor` [1] times `slopes`, which stays as it is, to the gradient of an input.
void add_scaled_grad(const Var& in, const Tensor& slopes, const Tensor& factor);

// The weight w[:, columns] with its packed copies, which are made the first time
// and kept with w until its value changes. Not for the only product of many `rows` with a weight that is being
// trained: such a product packs the weight a part at a time, which then need not leave the cache.
enum class Packing { forward, backward };
template <class R>
kernels::Weight<R> weight(const Var& w, Columns columns, Packing packing, int64_t rows = 0);

// w with what kernels::TopK needs of it as `packed`, kept like the copies above; null if there is none.
kernels::Weight<float> sketched_weight(const Var& w);

// kernels::TanhFactors of the keys of an additive score, kept with them like the copies above.
Tensor tanh_factors(const Var& keys);

// out = x w^T (+ bias) for rows of x [rows, columns of w], w packed forward.
template <class R>
void product(int64_t rows, const R* x, const kernels::Weight<R>& w, R* out, Write write, const R* bias = nullptr) {
  kernels::best<R>().matmul(kernels::product_of(rows, x, w, out, write == Write::accumulate, bias));
}

// out = y w for rows of y [rows, rows of w], w packed backward.
template <class R>
void transposed_product(int64_t rows, const R* y, const kernels::Weight<R>& w, R* out, Write write) {
  kernels::best<R>().matmul(kernels::transposed_product_of(rows, y, w, out, write == Write::accumulate));
}

// dw[:, columns] (+)= dy^T x
void gradient_product(const Tensor& dw, Columns columns, const Tensor& x, const Tensor& dy, Write write);

// The same for the gradient of w. Put off until all users of w have added theirs, one product instead of many, unless
// there are so many rows that waiting would gain nothing and keep them in memory.
void add_weight_grad(const Var& w, Columns columns, const Tensor& x, const Tensor& dy);

// Row ids[n] of dtable += dy[n]; nothing where an id is negative. The gradient of a leaf stays one of rows (RowGrad)
// if nothing else is added to it.
void add_row_grad(const Var& table, const RowIds& ids, const Tensor& dy);

// The same for each of `biases`: db += column sums of dy
void add_bias_grad(std::initializer_list<Var> biases, const Tensor& dy);

}  // namespace lookback::ops
