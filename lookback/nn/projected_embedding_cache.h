// The rows of a layer over embeddings that were met before.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "lookback/nn/row_store.h"
#include "lookback/ops/basic.h"

namespace lookback {

// For inference. Many threads may ask at once.
class ProjectedEmbeddingCache {
 public:
  struct Rows {
    Var x;            // [R, O], a constant
    ops::RowIds ids;  // [N] rows of it
    Var gathered() const { return ops::gather_rows(x, ids); }
  };
  // The bits of project(gather_rows(table, ids)), where `project` makes rows [N, O] of rows [N, C], each by itself, of
  // `weights` alone and always in the same way. A row is computed once, as long as table, weights and the precision of
  // products stay those of the call before.
  Rows operator()(const Var& table, const ops::RowIds& ids, const std::vector<Var>& weights,
                  const std::function<Var(const Var&)>& project);

 private:
  std::mutex mutex_;
  RowStore store_;
  std::vector<int32_t> row_of_;  // of id k - 1, its row among those that are kept; -1 where there is none
};

}  // namespace lookback
