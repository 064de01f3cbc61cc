#include "lookback/ops/sequence.h"

#include "lookback/ops/basic.h"

namespace lookback {

Var rows_in(const Sequence& s, RowOrder wanted) {
  check(s.x.dim(0) == s.shape.rows(), "sequence: ", s.x.shape(), " does not hold the ", s.shape.rows(),
        " rows of its lengths");
  if (wanted == s.order) return s.x;
  std::vector<int32_t> rows = s.shape.steps().rows_by_sequence();
  if (wanted == RowOrder::by_sequence) return ops::gather_rows(s.x, ops::row_ids(std::move(rows)));
  std::vector<int32_t> back(rows.size());
  for (size_t k = 0; k < rows.size(); ++k) back[static_cast<size_t>(rows[k])] = static_cast<int32_t>(k);
  return ops::gather_rows(s.x, ops::row_ids(std::move(back)));
}

}  // namespace lookback
