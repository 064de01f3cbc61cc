#include "lookback/ops/linear.h"

#include <cstring>

#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

// The columns of w that a term uses.
Columns columns_of(const LinearTerm& t) {
  const auto range = t.columns.value_or(std::pair<int64_t, int64_t>{0, t.w.dim(1)});
  return {range.first, range.second};
}

void check_matrices(const LinearTerm& t) {
  check(t.x.shape().rank() == 2 && t.w.shape().rank() == 2, "linear: x and w must be matrices, got ", t.x.shape(),
        " and ", t.w.shape());
}

void check_fits(const LinearTerm& t, int64_t N, int64_t O) {
  const Columns c = columns_of(t);
  check(0 <= c.begin && c.begin <= c.end && c.end <= t.w.dim(1), "linear: columns [", c.begin, ",", c.end, ") of w ",
        t.w.shape());
  check(c.size() == t.x.dim(1), "linear: x ", t.x.shape(), " does not fit ", c.size(), " columns of w ", t.w.shape());
  check(t.x.dim(0) == N && t.w.dim(0) == O, "linear: terms x ", t.x.shape(), " and w ", t.w.shape(),
        " cannot be part of y ", Shape{N, O});
  check(!t.bias || t.bias.shape() == Shape{O}, "linear: bias must be ", Shape{O});
}

// y (+)= the sum of the terms
template <class R>
void add_terms(std::span<const LinearTerm> terms, int64_t N, Write write, R* y) {
  thread_local std::vector<kernels::Matmul<R>> products;
  products.clear();
  for (const LinearTerm& t : terms)
    products.push_back(kernels::product_of(N, t.x.value().data<R>(), weight<R>(t.w, columns_of(t), Packing::forward, N),
                                           y, write == Write::accumulate || !products.empty(),
                                           data_or_null<R>(t.bias)));
  kernels::best<R>().matmul_sum({products});
}

}  // namespace

Var linear_sum(std::span<const LinearTerm> terms, const Var& addend) {
  check(!terms.empty(), "linear: a sum of no terms");
  for (const LinearTerm& t : terms) check_matrices(t);
  const int64_t N = terms[0].x.dim(0), O = terms[0].w.dim(0);
  for (const LinearTerm& t : terms) check_fits(t, N, O);
  check(!addend || addend.shape() == Shape{N, O}, "linear: addend must be ", Shape{N, O});
  Tensor y({N, O}, terms[0].x.dtype());
  with_float(y.dtype(), [&]<class R>() {
    if (addend) std::memcpy(y.bytes(), addend.value().bytes(), static_cast<size_t>(y.byte_size()));
    add_terms(terms, N, addend ? Write::accumulate : Write::overwrite, y.data<R>());
  });
  if (!grad_enabled()) return Var(y);
  std::vector<Var> inputs{addend};
  for (const LinearTerm& t : terms) inputs.insert(inputs.end(), {t.x, t.w, t.bias});
  return record({y}, std::move(inputs), [=, terms = std::vector(terms.begin(), terms.end())](Node& node) {
    const Tensor dy = node.grads[0];
    if (dy.empty()) return;
    with_float(dy.dtype(), [&]<class R>() {
      if (R* d = grad_or_null<R>(node.inputs[0]))
        kernels::best<R>().axpy({.size = dy.size(), .alpha = R{1}, .x = dy.data<R>(), .y = d});
      for (const LinearTerm& t : terms)
        // forward: y = x w^T
        if (const auto dx = grad_target<R>(t.x); dx.data)
          transposed_product(N, dy.data<R>(), weight<R>(t.w, columns_of(t), Packing::backward, N), dx.data, dx.write);
    });
    for (const LinearTerm& t : terms) {
      add_weight_grad(t.w, columns_of(t), t.x.value(), dy);
      add_bias_grad({t.bias}, dy);
    }
  })[0];
}

Var linear(const Var& x, const Var& w, const LinearOptions& options) {
  const LinearTerm term{x, w, options.bias, options.columns};
  return linear_sum({&term, 1}, options.addend);
}

}  // namespace lookback::ops
