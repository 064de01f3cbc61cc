#include "lookback/ops/spans.h"

#include <algorithm>
#include <vector>

#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

// Positions that a row has in both spans, counted from the beginning of each.
struct Shared {
  int64_t from, to, count;
};

Shared shared_of(const kernels::Memory& a, const kernels::Memory& b, int64_t n) {
  const auto first = a.seen_by(n), second = b.seen_by(n);
  const int64_t begin = std::max(first.first, second.first),
                end = std::min(first.first + first.length, second.first + second.length);
  if (begin >= end) return {0, 0, 0};
  return {begin - first.first, begin - second.first, end - begin};
}

}  // namespace

Var respan(const Var& x, const Visible& from, const Visible& to, int64_t F, double outside) {
  check_rows("respan", from), check_rows("respan", to);
  check(from.N() == to.N(), "respan: ", from.N(), " rows to be laid out as ", to.N());
  const Shape expected{from.N(), from.T() * F};
  check(x.shape() == expected, "respan: x must be ", expected, ", got ", x.shape());
  const int64_t N = to.N(), given = from.T() * F, wanted = to.T() * F;
  Tensor out = Tensor::zeros({N, wanted}, x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    const kernels::Memory a = view(from), b = view(to);
    for (int64_t n = 0; n < N; ++n) {
      R* const row = out.data<R>() + n * wanted;
      if (outside != 0) std::fill_n(row, b.seen_by(n).length * F, static_cast<R>(outside));
      const Shared s = shared_of(a, b, n);
      std::copy_n(x.value().data<R>() + n * given + s.from * F, s.count * F, row + s.to * F);
    }
  });
  return record({out}, {x}, [=](Node& node) {
    with_float(out.dtype(), [&]<class R>() {
      R* const dx = grad_or_null<R>(node.inputs[0]);
      const kernels::Memory a = view(from), b = view(to);
      for (int64_t n = 0; n < N; ++n) {
        const Shared s = shared_of(a, b, n);
        const R* const row = node.grads[0].data<R>() + n * wanted + s.to * F;
        for (int64_t k = 0; k < s.count * F; ++k) dx[n * given + s.from * F + k] += row[k];
      }
    });
  })[0];
}

RowIds median_positions(const Var& weights, const Visible& visible) {
  check_rows("median_positions", visible);
  const Shape expected{visible.N(), visible.T()};
  check(weights.shape() == expected, "median_positions: weights must be ", expected, ", got ", weights.shape());
  std::vector<int32_t> out(static_cast<size_t>(visible.N()));
  with_float(weights.dtype(), [&]<class R>() {
    const kernels::Memory memory = view(visible);
    for (int64_t n = 0; n < visible.N(); ++n) {
      const R* const w = weights.value().data<R>() + n * visible.T();
      const int64_t length = memory.seen_by(n).length;
      double all = 0, so_far = 0;
      for (int64_t t = 0; t < length; ++t) all += w[t];
      int64_t t = 0;
      while (t + 1 < length && (so_far += w[t]) < all / 2) ++t;
      out[static_cast<size_t>(n)] =
          static_cast<int32_t>((visible.begin ? (*visible.begin)[static_cast<size_t>(n)] : 0) + t);
    }
  });
  return row_ids(std::move(out));
}

}  // namespace lookback::ops
