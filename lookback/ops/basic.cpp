#include "lookback/ops/basic.h"

#include <algorithm>
#include <cstring>

#include "lookback/base/parallel.h"
#include "lookback/ops/int8_rows.h"
#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

constexpr int64_t kRows = 64, kColumns = 64;  // that a thread moves at a time

// Whether each of 0 .. rows - 1 is there once.
bool is_permutation(const std::vector<int32_t>& ids, int64_t rows) {
  if (std::ssize(ids) != rows) return false;
  thread_local std::vector<char> met;
  met.assign(ids.size(), false);
  for (const int32_t id : ids) {
    if (met[static_cast<size_t>(id)]) return false;
    met[static_cast<size_t>(id)] = true;
  }
  return true;
}

// Row source(n) of dx, each of which is that of one n, (+)= the first columns of row n of dy, whose rows lie C apart.
template <class R, class Source>
void add_each_once(int64_t N, int64_t width, const R* dy, int64_t C, GradTarget<R> dx, const Source& source) {
  parallel_for(N, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const R* const from = dy + n * C;
      R* const row = dx.data + source(n) * width;
      if (dx.write == Write::overwrite)
        std::copy_n(from, width, row);
      else
        for (int64_t k = 0; k < width; ++k) row[k] += from[k];
    }
  });
}

void check_same(const char* name, const Var& a, const Var& b) {
  check(a.shape() == b.shape() && a.dtype() == b.dtype(), name, ": shapes differ: ", a.shape(), " and ", b.shape());
}

template <class R>
void add_scaled(const Tensor& x, R alpha, R* y) {
  kernels::best<R>().axpy({.size = x.size(), .alpha = alpha, .x = x.data<R>(), .y = y});
}

Var unary(kernels::Unary kind, const Var& x) {
  Tensor y(x.shape(), x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    kernels::best<R>().unary({kind, x.value().size(), x.value().data<R>(), y.data<R>()});
  });
  return record({y}, {x}, [kind, y](Node& node) {
    with_float(y.dtype(), [&]<class R>() {
      kernels::best<R>().unary_backward({.f = {kind, y.size(), nullptr, y.data<R>()},
                                         .dy = node.grads[0].data<R>(),
                                         .dx = node.inputs[0].grad_buffer().data<R>()});
    });
  })[0];
}

// Rows of a table that is kept as int8, as floats; negative ids give zeros.
Tensor looked_up(const Var& table, const std::vector<int32_t>& ids) {
  const int64_t N = static_cast<int64_t>(ids.size()), C = table.dim(1);
  Tensor rows({N, C}, Dtype::i8), scales({N});
  for (int64_t n = 0; n < N; ++n) {
    const int32_t id = std::max(ids[static_cast<size_t>(n)], 0);
    std::copy_n(table.value().data<int8_t>() + id * C, C, rows.data<int8_t>() + n * C);
    scales.data<float>()[n] = ids[static_cast<size_t>(n)] < 0 ? 0 : table.row_scales().data<float>()[id];
  }
  return to_floats({rows, scales});
}

}  // namespace

Var add(const Var& a, const Var& b) {
  check_same("add", a, b);
  Tensor y = a.value().clone();
  with_float(a.dtype(), [&]<class R>() { add_scaled<R>(b.value(), R{1}, y.data<R>()); });
  return record({y}, {a, b}, [](Node& node) {
    for (const Var& in : node.inputs) give_grad(in, node.grads[0].clone());
  })[0];
}

Var mul(const Var& a, const Var& b) {
  check_same("mul", a, b);
  Tensor y(a.shape(), a.dtype());
  with_float(a.dtype(), [&]<class R>() {
    const R *p = a.value().data<R>(), *q = b.value().data<R>();
    for (int64_t k = 0; k < y.size(); ++k) y.data<R>()[k] = p[k] * q[k];
  });
  return record({y}, {a, b}, [](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      const R* dy = node.grads[0].data<R>();
      for (int side = 0; side < 2; ++side) {
        const Var &in = node.inputs[static_cast<size_t>(side)], &other = node.inputs[static_cast<size_t>(1 - side)];
        if (R* dx = grad_or_null<R>(in))
          for (int64_t k = 0; k < in.value().size(); ++k) dx[k] += dy[k] * other.value().data<R>()[k];
      }
    });
  })[0];
}

Var scale(const Var& x, double factor) {
  Tensor y = Tensor::zeros(x.shape(), x.dtype());
  with_float(x.dtype(), [&]<class R>() { add_scaled<R>(x.value(), static_cast<R>(factor), y.data<R>()); });
  return record({y}, {x}, [factor](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      add_scaled<R>(node.grads[0], static_cast<R>(factor), node.inputs[0].grad_buffer().data<R>());
    });
  })[0];
}

Var tanh(const Var& x) { return unary(kernels::Unary::tanh, x); }
Var sigmoid(const Var& x) { return unary(kernels::Unary::sigmoid, x); }
Var relu(const Var& x) { return unary(kernels::Unary::relu, x); }
Var elu(const Var& x) { return unary(kernels::Unary::elu, x); }

Var maxout(const Var& x) {
  check(x.shape().rank() == 2 && x.dim(1) % 2 == 0, "maxout: x must be [N,2C], got ", x.shape());
  const int64_t N = x.dim(0), C = x.dim(1) / 2;
  Tensor y({N, C}, x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    const R* in = x.value().data<R>();
    for (int64_t k = 0; k < N * C; ++k) y.data<R>()[k] = std::max(in[2 * k], in[2 * k + 1]);
  });
  return record({y}, {x}, [N, C](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      const R *in = node.inputs[0].value().data<R>(), *dy = node.grads[0].data<R>();
      R* dx = node.inputs[0].grad_buffer().data<R>();
      for (int64_t k = 0; k < N * C; ++k) dx[in[2 * k] >= in[2 * k + 1] ? 2 * k : 2 * k + 1] += dy[k];
    });
  })[0];
}

Var glu(const Var& x, const Var& addend) {
  check(x.shape().rank() == 2 && x.dim(1) % 2 == 0, "glu: x must be [N,2C], got ", x.shape());
  const int64_t N = x.dim(0), C = x.dim(1) / 2;
  check(!addend || addend.shape() == Shape{N, C}, "glu: addend must be ", Shape{N, C});
  Tensor y({N, C}, x.dtype());
  const auto args = [=]<class R>(const Var& in, const R* plus) {
    return kernels::Glu<R>{N, C, in.value().data<R>(), plus, y.data<R>()};
  };
  with_float(x.dtype(),
             [&]<class R>() { kernels::best<R>().glu(args.template operator()<R>(x, data_or_null<R>(addend))); });
  return record({y}, {x, addend}, [=](Node& node) {
    with_float(y.dtype(), [&]<class R>() {
      if (const auto dx = grad_target<R>(node.inputs[0]); dx.data)
        kernels::best<R>().glu_backward({.f = args.template operator()<R>(node.inputs[0], nullptr),
                                         .dy = node.grads[0].data<R>(),
                                         .dx = dx.data,
                                         .accumulate = dx.write == Write::accumulate});
    });
    if (node.inputs[1]) give_grad(node.inputs[1], node.grads[0]);
  })[0];
}

Var layer_norm(const Var& x, const Var& gamma, const Var& beta, double epsilon) {
  check(x.shape().rank() == 2, "layer_norm: x must be [N,C], got ", x.shape());
  const int64_t N = x.dim(0), C = x.dim(1);
  check(gamma.shape() == Shape{C} && beta.shape() == Shape{C}, "layer_norm: gamma and beta must be ", Shape{C});
  const Dtype d = x.dtype();
  Tensor y({N, C}, d), mean({N}, d), inverse_std({N}, d);
  auto args = [=]<class R>(const Var& in, const Var& g, const Var& b) {
    return kernels::LayerNorm<R>{N,
                                 C,
                                 static_cast<R>(epsilon),
                                 in.value().data<R>(),
                                 g.value().data<R>(),
                                 b.value().data<R>(),
                                 y.data<R>(),
                                 mean.data<R>(),
                                 inverse_std.data<R>()};
  };
  with_float(d, [&]<class R>() { kernels::best<R>().layer_norm(args.template operator()<R>(x, gamma, beta)); });
  return record({y}, {x, gamma, beta}, [=](Node& node) {
    const auto& in = node.inputs;
    with_float(d, [&]<class R>() {
      kernels::best<R>().layer_norm_backward({.f = args.template operator()<R>(in[0], in[1], in[2]),
                                              .dy = node.grads[0].data<R>(),
                                              .dx = grad_or_null<R>(in[0]),
                                              .dgamma = grad_or_null<R>(in[1]),
                                              .dbeta = grad_or_null<R>(in[2])});
    });
  })[0];
}

Var dropout(const Var& x, double p, const Stream& stream, const RowIds& mask_rows) {
  check(0 <= p && p < 1, "dropout: p must be in [0,1), got ", p);
  check(x.shape().rank() == 2, "dropout: x must be [N,C], got ", x.shape());
  check(!mask_rows || static_cast<int64_t>(mask_rows->size()) == x.dim(0), "dropout: one mask row for each row of x");
  if (p == 0) return x;
  const int64_t N = x.dim(0), C = x.dim(1);
  Tensor y({N, C}, x.dtype());
  auto run = [=]<class R>(const R* from, R* to, bool accumulate) {
    kernels::best<R>().dropout({.N = N,
                                .C = C,
                                .p = p,
                                .stream = stream,
                                .row_of = mask_rows ? mask_rows->data() : nullptr,
                                .x = from,
                                .y = to,
                                .accumulate = accumulate});
  };
  with_float(x.dtype(), [&]<class R>() { run.template operator()<R>(x.value().data<R>(), y.data<R>(), false); });
  return record({y}, {x}, [run](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      const auto dx = grad_target<R>(node.inputs[0]);
      // forward: y = mask * x
      run.template operator()<R>(node.grads[0].data<R>(), dx.data, dx.write == Write::accumulate);
    });
  })[0];
}

Var gather_rows(const Var& x, const RowIds& ids) {
  check(x.shape().rank() == 2, "gather_rows: x must be [R,C], got ", x.shape());
  const int64_t N = static_cast<int64_t>(ids->size()), C = x.dim(1);
  for (const int32_t id : *ids) check(id < x.dim(0), "gather_rows: no row ", id, " in ", x.shape());
  if (x.dtype() == Dtype::i8) return Var(looked_up(x, *ids));
  Tensor y({N, C}, x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    kernels::best<R>().gather_rows({N, C, ids->data(), x.value().data<R>(), y.data<R>()});
  });
  return record({y}, {x}, [ids](Node& node) { add_row_grad(node.inputs[0], ids, node.grads[0]); })[0];
}

Var slice_rows(const Var& x, int64_t begin, int64_t end) {
  if (begin == 0 && end == x.dim(0)) return x;
  return record({x.value().rows(begin, end)}, {x}, [=](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      add_scaled<R>(node.grads[0], R{1}, node.inputs[0].grad_buffer().rows(begin, end).data<R>());
    });
  })[0];
}

Var reshape(const Var& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record({x.value().reshape(shape)}, {x},
                [](Node& node) { give_grad(node.inputs[0], node.grads[0].reshape(node.inputs[0].shape())); })[0];
}

Var scale_rows(const Var& x, const Tensor& factors) {
  check(x.shape().rank() == 2 && factors.shape() == Shape{x.dim(0)} && factors.dtype() == x.dtype(),
        "scale_rows: factors ", factors.shape(), " for ", x.shape());
  const int64_t N = x.dim(0), C = x.dim(1);
  Tensor y(x.shape(), x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    for (int64_t n = 0; n < N; ++n)
      for (int64_t c = 0; c < C; ++c) y.data<R>()[n * C + c] = factors.data<R>()[n] * x.value().data<R>()[n * C + c];
  });
  return record({y}, {x}, [N, C, factors](Node& node) {
    with_float(factors.dtype(), [&]<class R>() {
      R* const dx = node.inputs[0].grad_buffer().data<R>();
      for (int64_t n = 0; n < N; ++n)
        for (int64_t c = 0; c < C; ++c) dx[n * C + c] += factors.data<R>()[n] * node.grads[0].data<R>()[n * C + c];
    });
  })[0];
}

Var running_sums(const Var& x, int64_t C) {
  check(x.shape().rank() == 2 && C > 0 && x.dim(1) % C == 0, "running_sums: steps of ", C, " columns in ", x.shape());
  const int64_t N = x.dim(0), W = x.dim(1);
  Tensor y = x.value().clone();
  with_float(x.dtype(), [&]<class R>() {
    for (int64_t n = 0; n < N; ++n)
      for (int64_t k = n * W + C; k < (n + 1) * W; ++k) y.data<R>()[k] += y.data<R>()[k - C];
  });
  return record({y}, {x}, [N, W, C](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      const Tensor sums = node.grads[0].clone();
      for (int64_t n = 0; n < N; ++n)
        for (int64_t k = (n + 1) * W - C - 1; k >= n * W; --k) sums.data<R>()[k] += sums.data<R>()[k + C];
      add_scaled<R>(sums, R{1}, node.inputs[0].grad_buffer().data<R>());
    });
  })[0];
}

Var concat_rows(const std::vector<Var>& parts) {
  check(!parts.empty(), "concat_rows: nothing to join");
  if (parts.size() == 1) return parts[0];
  const Shape& like = parts[0].shape();
  const bool vectors = like.rank() == 1;
  int64_t rows = 0;
  for (const Var& p : parts) {
    check(p.shape().rank() == like.rank() && (vectors || (like.rank() == 2 && p.dim(1) == like[1])),
          "concat_rows: ", p.shape(), " does not go below ", like);
    rows += p.dim(0);
  }
  Tensor y(vectors ? Shape{rows} : Shape{rows, like[1]}, parts[0].dtype());
  int64_t at = 0;
  for (const Var& p : parts) {
    std::memcpy(y.rows(at, at + p.dim(0)).bytes(), p.value().bytes(), static_cast<size_t>(p.value().byte_size()));
    at += p.dim(0);
  }
  return record({y}, parts, [](Node& node) {
    int64_t first = 0;
    for (const Var& in : node.inputs) {
      const int64_t n = in.dim(0);
      // The rows are nobody else's, so the part may have them as they are.
      give_grad(in, node.grads[0].rows(first, first + n));
      first += n;
    }
  })[0];
}

Var concat_columns(const std::vector<Var>& parts, const RowIds& ids) {
  check(!parts.empty(), "concat_columns: nothing to join");
  const int64_t rows = parts[0].dim(0), N = ids ? std::ssize(*ids) : rows;
  int64_t C = 0;
  for (const Var& p : parts) {
    check(p.shape().rank() == 2 && p.dim(0) == rows, "concat_columns: expected [", rows, ",*], got ", p.shape());
    C += p.dim(1);
  }
  if (ids)
    for (const int32_t id : *ids) check(0 <= id && id < rows, "concat_columns: no row ", id, " among ", rows);
  const auto source = [ids](int64_t n) { return ids ? (*ids)[static_cast<size_t>(n)] : n; };
  Tensor y({N, C}, parts[0].dtype());
  with_float(y.dtype(), [&]<class R>() {
    int64_t at = 0;
    for (const Var& p : parts) {
      const int64_t width = p.dim(1);
      parallel_for(N, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n)
          std::copy_n(p.value().data<R>() + source(n) * width, width, y.data<R>() + n * C + at);
      });
      at += width;
    }
  });
  const bool each_once = !ids || (grad_enabled() && is_permutation(*ids, rows));
  return record({y}, parts, [N, C, source, each_once](Node& node) {
    with_float(node.grads[0].dtype(), [&]<class R>() {
      int64_t at = 0;
      for (const Var& in : node.inputs) {
        const int64_t width = in.dim(1);
        const R* const dy = node.grads[0].data<R>() + at;
        at += width;
        if (!in.needs_grad()) continue;
        if (each_once) {
          add_each_once(N, width, dy, C, grad_target<R>(in), source);
          continue;
        }
        // Columns are dealt out, not rows: two rows may come from one.
        R* const dx = in.grad_buffer().data<R>();
        parallel_for(width, kColumns, [&](int64_t begin, int64_t end) {
          for (int64_t n = 0; n < N; ++n)
            for (int64_t k = begin; k < end; ++k) dx[source(n) * width + k] += dy[n * C + k];
        });
      }
    });
  })[0];
}

Var weighted_sum(const Var& x, const Tensor& weights) {
  check(weights.shape() == x.shape(), "weighted_sum: weights must be ", x.shape(), ", got ", weights.shape());
  Tensor y({1}, x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    double sum = 0;
    for (int64_t k = 0; k < weights.size(); ++k)
      sum += static_cast<double>(weights.data<R>()[k]) * static_cast<double>(x.value().data<R>()[k]);
    y.data<R>()[0] = static_cast<R>(sum);
  });
  return record({y}, {x}, [weights](Node& node) {
    with_float(weights.dtype(), [&]<class R>() {
      add_scaled<R>(weights, node.grads[0].data<R>()[0], node.inputs[0].grad_buffer().data<R>());
    });
  })[0];
}

}  // namespace lookback::ops
