#include "lookback/models/history_rows.h"

#include <algorithm>

namespace lookback {

Sequence history_rows(const NetworkInput& in, const Ragged& shape, int64_t span) {
  const int64_t P = in.past.dim(1) * span, S = in.fixed.empty() ? 0 : in.fixed.dim(1);
  std::vector<int64_t> begin{0};
  for (const int64_t n : in.lengths) begin.push_back(begin.back() + n / span);
  Tensor out({shape.rows(), P + S}, in.past.dtype());
  with_float(out.dtype(), [&]<class R>() {
    R* to = out.data<R>();
    for (const int32_t b : shape.sequence_of_rank())
      for (int64_t row = begin[static_cast<size_t>(b)]; row < begin[static_cast<size_t>(b) + 1]; ++row) {
        to = std::copy_n(in.past.data<R>() + row * P, P, to);
        if (S) to = std::copy_n(in.fixed.data<R>() + b * S, S, to);
      }
  });
  return {Var(out), shape, RowOrder::by_sequence};
}

}  // namespace lookback
