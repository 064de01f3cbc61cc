#include "lookback/ops/internal.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <tuple>

#include "lookback/ops/int8_rows.h"

namespace lookback::ops {
namespace {

// What is kept with one weight, made when it is needed.
struct Prepared {
  struct Copy {
    std::unique_ptr<kernels::Packed> packed;
    uint64_t version = 0;  // of the weight it was made from
  };
  std::map<std::tuple<Columns, Packing, Precision>, Copy> copies;
  Copy sketch;
  Tensor floats;  // of int8 rows that met a product of another precision
  uint64_t floats_version = 0;
  std::map<int, std::pair<Tensor, uint64_t>> tanh_factors;  // of each output, and the version
};

// Calls f(what is kept). Threads that predict with one model meet here.
template <class F>
decltype(auto) with_prepared(Node& node, F&& f) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (!node.prepared) node.prepared = std::make_shared<Prepared>();
  return f(*static_cast<Prepared*>(node.prepared.get()));
}

Int8Rows int8_rows(const Var& w) {
  return w.dtype() == Dtype::i8 ? Int8Rows{w.value(), w.row_scales()} : to_int8_rows(w.value());
}

// The elements of w, as floats where they are kept as int8 rows.
template <class R>
const R* elements(const Var& w) {
  if (w.dtype() != Dtype::i8) return w.value().data<R>();
  return with_prepared(w.node(), [&](Prepared& kept) {
    if (kept.floats.empty() || kept.floats_version != w.node().version) kept.floats = to_floats(int8_rows(w));
    kept.floats_version = w.node().version;
    return kept.floats.data<R>();
  });
}

Tensor stacked(const std::vector<Tensor>& parts) {
  if (parts.size() == 1) return parts[0];
  int64_t rows = 0;
  for (const Tensor& p : parts) rows += p.dim(0);
  Tensor out({rows, parts[0].dim(1)}, parts[0].dtype());
  std::byte* at = out.bytes();
  for (const Tensor& p : parts) {
    std::memcpy(at, p.bytes(), static_cast<size_t>(p.byte_size()));
    at += p.byte_size();
  }
  return out;
}

// Rows beside which packing a weight weighs little.
constexpr int64_t kManyRows = 512;

// Of rows a product needs to be as fast as it gets.
constexpr int64_t kEnoughRows = 4096;

// table[ids[n]] += dy[n]
void scatter(const std::vector<int32_t>& ids, const Tensor& dy, const Tensor& table) {
  with_float(dy.dtype(), [&]<class R>() {
    kernels::best<R>().scatter_rows(
        {.N = std::ssize(ids), .C = dy.dim(1), .ids = ids.data(), .rows = dy.data<R>(), .table = table.data<R>()});
  });
}

struct Pending final : PendingGrad {
  struct Parts {
    std::vector<Tensor> x, dy;  // [n, columns], [n, rows of the weight]
  };
  std::map<Columns, Parts> products;
  std::vector<std::pair<RowIds, Tensor>> rows;  // of the table, and what is added to them

  void flush(Node& node) override {
    if (!products.empty()) add_products(node);
    if (!rows.empty()) node.whole_grad(0).empty() ? keep_rows(node) : add_rows(node);
  }

 private:
  void add_products(Node& node) {
    const Write write = prepare_grad(node);
    for (auto& [columns, p] : products) {
      const Tensor x = stacked(p.x), dy = stacked(p.dy);
      p = {};
      gradient_product(node.grads[0], columns, x, dy, write);
    }
  }

  // The first products need no zeros to be added to, if every column gets one.
  Write prepare_grad(Node& node) const {
    const Tensor& value = node.outputs[0];
    int64_t end = 0;
    for (const auto& [columns, _] : products) end = columns.begin == end ? columns.end : -1;
    if (!node.whole_grad(0).empty() || end != value.dim(1)) return node.grad_buffer(0), Write::accumulate;
    node.grads[0] = Tensor(value.shape(), value.dtype());
    return Write::overwrite;
  }

  void add_rows(Node& node) const {
    for (const auto& [ids, dy] : rows) scatter(*ids, dy, node.grads[0]);
  }

  void keep_rows(Node& node) const {
    auto sum = std::make_unique<RowGrad>();
    size_t uses = 0;
    for (const auto& [ids, _] : rows) uses += ids->size();
    sum->ids.reserve(uses);
    for (const auto& [ids, _] : rows)
      std::ranges::copy_if(*ids, std::back_inserter(sum->ids), [](int32_t id) { return id >= 0; });
    std::ranges::sort(sum->ids);
    sum->ids.erase(std::unique(sum->ids.begin(), sum->ids.end()), sum->ids.end());
    sum->rows = Tensor::zeros({std::ssize(sum->ids), node.outputs[0].dim(1)}, node.outputs[0].dtype());
    std::vector<int32_t> places;
    places.reserve(uses);
    for (const auto& [ids, dy] : rows) {
      places.clear();
      for (const int32_t id : *ids)
        places.push_back(id < 0 ? id : static_cast<int32_t>(std::ranges::lower_bound(sum->ids, id) - sum->ids.begin()));
      scatter(places, dy, sum->rows);
    }
    node.row_grad = std::move(sum);
  }
};

Pending& pending_of(const Var& v) {
  auto& pending = v.node().pending;
  if (!pending) pending = std::make_unique<Pending>();
  return static_cast<Pending&>(*pending);
}

}  // namespace

void give_grad(const Var& in, Tensor g) {
  if (!in.needs_grad()) return;
  Tensor& mine = in.node().whole_grad(in.output());
  if (mine.empty()) {
    mine = std::move(g);
    return;
  }
  with_float(mine.dtype(), [&]<class R>() {
    kernels::best<R>().axpy({.size = mine.size(), .alpha = R{1}, .x = g.data<R>(), .y = mine.data<R>()});
  });
}

void add_scaled_grad(const Var& in, const Tensor& slopes, const Tensor& factor) {
  if (!in.needs_grad()) return;
  with_float(slopes.dtype(), [&]<class R>() {
    kernels::best<R>().axpy(
        {.size = slopes.size(), .alpha = factor.data<R>()[0], .x = slopes.data<R>(), .y = in.grad_buffer().data<R>()});
  });
}

template <class R>
kernels::Weight<R> weight(const Var& w, Columns columns, Packing packing, int64_t rows) {
  const bool forward = packing == Packing::forward;  // else y w, which needs no transposing
  const auto pack = kernels::best<R>().pack;
  const Precision precision = product_precision();
  // Scales belong to the rows of the whole weight, whichever of its columns are used.
  const bool int8 = pack && forward && precision == Precision::int8;
  kernels::Weight<R> out{.rows = w.dim(0), .cols = columns.size(), .ld = w.dim(1)};
  if (!int8) out.data = elements<R>(w) + columns.begin;
  const bool packed_on_the_way = precision == Precision::f32 && rows >= kManyRows && grad_enabled() && w.needs_grad();
  if (!pack || packed_on_the_way) return out;
  (forward ? out.packed : out.packed_transposed) = with_prepared(w.node(), [&](Prepared& prepared) {
    auto& kept = prepared.copies[{columns, packing, precision}];
    const uint64_t version = w.node().version, before = kept.version;
    if (kept.packed && before == version) return kept.packed.get();
    std::erase_if(prepared.copies, [&](const auto& copy) { return copy.second.version < before; });
    kernels::Matmul<R> b{.n = forward ? out.rows : out.cols,
                         .k = forward ? out.cols : out.rows,
                         .b = out.data,
                         .ldb = out.ld,
                         .transpose_b = forward,
                         .precision = precision};
    const Int8Rows quantised = int8 ? int8_rows(w) : Int8Rows{};
    if (int8) b.b_int8 = quantised.rows.data<int8_t>() + columns.begin, b.b_scales = quantised.scales.data<float>();
    kept = {pack(b, std::move(kept.packed)), version};
    return kept.packed.get();
  });
  return out;
}

kernels::Weight<float> sketched_weight(const Var& w) {
  const auto sketch = kernels::best<float>().sketch;
  kernels::Weight<float> out{.rows = w.dim(0), .cols = w.dim(1), .ld = w.dim(1)};
  if (!sketch) return out;
  out.data = elements<float>(w);
  out.packed = with_prepared(w.node(), [&](Prepared& prepared) {
    Prepared::Copy& kept = prepared.sketch;
    if (!kept.packed || kept.version != w.node().version)
      kept = {sketch({.n = out.rows, .k = out.cols, .b = out.data, .ldb = out.ld, .transpose_b = true}),
              w.node().version};
    return kept.packed.get();
  });
  return out;
}

Tensor tanh_factors(const Var& keys) {
  const uint64_t version = keys.node().version;
  const auto kept = [&](Prepared & prepared) -> auto& { return prepared.tanh_factors[keys.output()]; };
  Tensor out = with_prepared(keys.node(), [&](Prepared& prepared) {
    const auto& [factors, made] = kept(prepared);
    return made == version ? factors : Tensor();
  });
  if (!out.empty()) return out;
  out = Tensor(keys.shape(), keys.dtype());
  with_float(keys.dtype(), [&]<class R>() {
    kernels::best<R>().tanh_factors({keys.value().size(), keys.value().data<R>(), out.data<R>()});
  });
  with_prepared(keys.node(), [&](Prepared& prepared) { kept(prepared) = {out, version}; });
  return out;
}

template kernels::Weight<float> weight<float>(const Var&, Columns, Packing, int64_t);
template kernels::Weight<double> weight<double>(const Var&, Columns, Packing, int64_t);

void gradient_product(const Tensor& dw, Columns columns, const Tensor& x, const Tensor& dy, Write write) {
  with_float(dw.dtype(), [&]<class R>() {
    kernels::best<R>().matmul({.m = dw.dim(0),
                               .n = columns.size(),
                               .k = x.dim(0),
                               .a = dy.data<R>(),
                               .lda = dy.dim(1),
                               .transpose_a = true,
                               .b = x.data<R>(),
                               .ldb = x.dim(1),
                               .c = dw.data<R>() + columns.begin,
                               .ldc = dw.dim(1),
                               .accumulate = write == Write::accumulate,
                               .precision = product_precision()});
  });
}

void add_weight_grad(const Var& w, Columns columns, const Tensor& x, const Tensor& dy) {
  if (!w.needs_grad()) return;
  if (x.dim(0) >= kEnoughRows) return gradient_product(w.node().grad_buffer(0), columns, x, dy, Write::accumulate);
  auto& parts = pending_of(w).products[columns];
  parts.x.push_back(x);
  parts.dy.push_back(dy);
}

void add_row_grad(const Var& table, const RowIds& ids, const Tensor& dy) {
  if (!table.needs_grad()) return;
  const bool is_leaf = !table.node().backward;
  if (is_leaf)
    pending_of(table).rows.emplace_back(ids, dy);
  else
    scatter(*ids, dy, table.grad_buffer());
}

void add_bias_grad(std::initializer_list<Var> biases, const Tensor& dy) {
  Tensor sums;
  for (const Var& b : biases) {
    if (!b.needs_grad()) continue;
    if (!sums.empty()) {
      give_grad(b, sums.clone());
      continue;
    }
    sums = Tensor::zeros({dy.dim(1)}, dy.dtype());
    with_float(dy.dtype(), [&]<class R>() {
      kernels::best<R>().column_sums(
          {.N = dy.dim(0), .C = dy.dim(1), .ldx = dy.dim(1), .x = dy.data<R>(), .sums = sums.data<R>()});
    });
    give_grad(b, sums);
  }
}

}  // namespace lookback::ops
