#include "lookback/ops/sequence.h"

namespace lookback {

ops::RowIds row_ids_in(const Sequence& s, RowOrder wanted) {
  const int64_t N = s.rows ? std::ssize(*s.rows) : s.x.dim(0);
  check(N == s.shape.rows(), "sequence: ", N, " rows of ", s.x.shape(), " are not the ", s.shape.rows(),
        " of its lengths");
  if (wanted == s.order) return s.rows;
  std::vector<int32_t> ids = s.shape.steps().rows_by_sequence();
  if (wanted == RowOrder::by_step) {
    std::vector<int32_t> back(ids.size());
    for (size_t k = 0; k < ids.size(); ++k) back[static_cast<size_t>(ids[k])] = static_cast<int32_t>(k);
    ids = std::move(back);
  }
  if (s.rows)
    for (int32_t& id : ids) id = (*s.rows)[static_cast<size_t>(id)];
  return ops::row_ids(std::move(ids));
}

Var rows_in(const Sequence& s, RowOrder wanted) {
  const ops::RowIds ids = row_ids_in(s, wanted);
  return ids ? ops::gather_rows(s.x, ids) : s.x;
}

}  // namespace lookback
