#include "lookback/ops/states.h"

#include <algorithm>

namespace lookback::ops {

std::vector<int32_t> rows_before(const Steps& steps, Direction direction) {
  std::vector<int32_t> out(static_cast<size_t>(steps.N()), -1);
  const bool reverse = direction == Direction::reverse;
  for (int64_t t = 0; t < steps.T(); ++t) {
    const int64_t before = reverse ? t + 1 : t - 1;
    if (before < 0 || before >= steps.T()) continue;
    for (int64_t b = 0; b < std::min(steps.alive(t), steps.alive(before)); ++b)
      out[static_cast<size_t>(steps.row(t, b))] = static_cast<int32_t>(steps.row(before, b));
  }
  return out;
}

template <class R>
Tensor states_before(const Steps& steps, Direction direction, const Tensor& h, const Tensor& h0) {
  const int64_t N = steps.N(), H = h.dim(1);
  const auto from = rows_before(steps, direction);
  Tensor out({N, H}, h.dtype());
  kernels::best<R>().gather_rows({.N = N, .C = H, .ids = from.data(), .table = h.data<R>(), .out = out.data<R>()});
  if (h0.empty()) return out;
  const auto sequence = steps.sequence_of_rows();
  for (size_t n = 0; n < from.size(); ++n)
    if (from[n] < 0) std::copy_n(h0.data<R>() + sequence[n] * H, H, out.data<R>() + static_cast<int64_t>(n) * H);
  return out;
}

void add_recurrent_grad(const Var& w, Columns columns, const Steps& steps, Direction direction, const Tensor& before,
                        bool from_zeros, const Tensor& dy) {
  if (!from_zeros || steps.T() == 0) return add_weight_grad(w, columns, before, dy);
  const bool reverse = direction == Direction::reverse;
  const int64_t first = reverse ? 0 : steps.begin(1), end = reverse ? steps.begin(steps.T() - 1) : steps.N();
  add_weight_grad(w, columns, before.rows(first, end), dy.rows(first, end));
}

template Tensor states_before<float>(const Steps&, Direction, const Tensor&, const Tensor&);
template Tensor states_before<double>(const Steps&, Direction, const Tensor&, const Tensor&);

}  // namespace lookback::ops
