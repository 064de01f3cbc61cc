#include "lookback/nn/projected_embedding_cache.h"

#include <algorithm>
#include <cstring>

namespace lookback {
namespace {

constexpr int64_t kBytes = int64_t{32} << 20;  // kept at most; then all are forgotten, and the frequent ones soon back

}  // namespace

Var ProjectedEmbeddingCache::operator()(const Var& table, const ops::RowIds& ids, const Var& w, const Var& bias,
                                        std::pair<int64_t, int64_t> columns) {
  const NoGrad off;
  const int64_t N = std::ssize(*ids), O = w.dim(0);
  Key key{.columns = columns, .precision = product_precision()};
  for (const Var& v : {table, w, bias}) key.sources.emplace_back(v ? v.node().id : 0, v ? v.node().version : 0);

  const std::lock_guard lock(mutex_);
  if (key != key_ || rows_.dim(0) < std::ssize(row_) + N) {
    key_ = std::move(key);
    row_.clear();
    const Dtype dtype = table.dtype() == Dtype::f64 ? Dtype::f64 : Dtype::f32;  // of int8 rows too
    const int64_t bytes_of_row = std::max<int64_t>(1, O * item_size(dtype));
    rows_ = Tensor({std::max(N, std::min(table.dim(0), kBytes / bytes_of_row)), O}, dtype);
  }
  std::vector<int32_t> missing;
  for (const int32_t id : *ids)
    if (!row_.contains(id) && std::ranges::find(missing, id) == missing.end()) missing.push_back(id);
  if (!missing.empty()) {
    const Var embedded = ops::gather_rows(table, ops::row_ids(std::vector(missing)));
    const Tensor fresh = ops::linear(embedded, w, {.bias = bias, .columns = columns}).value();
    const int64_t first = std::ssize(row_);
    const Tensor to = rows_.rows(first, first + fresh.dim(0));
    std::memcpy(to.bytes(), fresh.bytes(), static_cast<size_t>(fresh.byte_size()));
    for (const int32_t id : missing) row_.emplace(id, std::ssize(row_));
  }
  std::vector<int32_t> at;
  for (const int32_t id : *ids) at.push_back(static_cast<int32_t>(row_.at(id)));
  return ops::gather_rows(Var(rows_), ops::row_ids(std::move(at)));
}

}  // namespace lookback
