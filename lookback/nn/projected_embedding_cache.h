// The rows of a layer over embeddings that were met before.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lookback/base/precision.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/linear.h"

namespace lookback {

// For inference with few rows at a time: text is mostly made of few words, and a weight that need not be read is time
// won. Many threads may ask at once.
class ProjectedEmbeddingCache {
 public:
  // The bits of linear(gather_rows(table, ids), w, {.bias = bias, .columns = columns}), as a constant [ids, O]. A row
  // is computed once, as long as table, w, bias, columns and the precision of products stay those of the call before.
  Var operator()(const Var& table, const ops::RowIds& ids, const Var& w, const Var& bias,
                 std::pair<int64_t, int64_t> columns);

 private:
  struct Key {
    std::vector<std::pair<uint64_t, uint64_t>> sources;  // node and version of table, w and bias
    std::pair<int64_t, int64_t> columns;
    Precision precision{};
    bool operator==(const Key&) const = default;
  };

  std::mutex mutex_;
  Key key_;
  std::unordered_map<int32_t, int64_t> row_;  // of an id, in rows_
  Tensor rows_;
};

}  // namespace lookback
