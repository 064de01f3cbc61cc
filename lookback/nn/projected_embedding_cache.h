// The rows of a layer over embeddings that were met before.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lookback/base/precision.h"
#include "lookback/ops/basic.h"

namespace lookback {

// For inference: text is mostly made of few words, and what a layer makes of each is always the same. Many threads may
// ask at once.
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
  struct Key {
    std::vector<std::pair<uint64_t, uint64_t>> sources;  // node and version of table and weights
    Precision precision{};
    bool operator==(const Key&) const = default;
  };

  std::vector<int32_t> missing_of(const std::vector<int32_t>& ids) const;  // each once

  std::mutex mutex_;
  Key key_;
  std::unordered_map<int32_t, int64_t> row_;  // of an id, in rows_
  Tensor rows_;
};

}  // namespace lookback
