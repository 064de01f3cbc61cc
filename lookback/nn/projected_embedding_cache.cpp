#include "lookback/nn/projected_embedding_cache.h"

#include <algorithm>

namespace lookback {

ProjectedEmbeddingCache::Rows ProjectedEmbeddingCache::operator()(const Var& table, const ops::RowIds& ids,
                                                                  const std::vector<Var>& weights,
                                                                  const std::function<Var(const Var&)>& project) {
  const NoGrad off;
  for (const int32_t id : *ids) check(id < table.dim(0), "no row ", id, " in ", table.shape());
  const auto row_of = [&](int32_t id) -> int32_t& { return row_of_[static_cast<size_t>(std::max(id, -1) + 1)]; };

  const std::lock_guard lock(mutex_);
  const auto look_up = [&](std::vector<int32_t>& missing, std::vector<int32_t>& at) {
    at.reserve(ids->size());
    for (const int32_t id : *ids) {
      int32_t& row = row_of(id);
      if (row < 0) {
        row = static_cast<int32_t>(store_.count() + std::ssize(missing));
        missing.push_back(id);
      }
      at.push_back(row);
    }
  };
  store_.forget_unless_of({&table, 1}, weights);
  ops::RowIds at = store_.rows_of<int32_t>(
      table.dim(0), [&] { row_of_.assign(static_cast<size_t>(table.dim(0)) + 1, -1); }, look_up,
      [&](const std::vector<int32_t>& missing) {
        return project(ops::gather_rows(table, ops::row_ids(missing))).value();
      });
  return {store_.rows(), std::move(at)};
}

}  // namespace lookback
