#include "lookback/nn/projected_embedding_cache.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace lookback {
namespace {

constexpr int64_t kBytes = int64_t{32} << 20;  // kept at most; then all are forgotten, and the frequent ones soon back

}  // namespace

ProjectedEmbeddingCache::Rows ProjectedEmbeddingCache::operator()(const Var& table, const ops::RowIds& ids,
                                                                  const std::vector<Var>& weights,
                                                                  const std::function<Var(const Var&)>& project) {
  const NoGrad off;
  Key key{.precision = product_precision()};
  key.sources.reserve(weights.size() + 1);
  key.sources.emplace_back(table.node().id, table.node().version);
  for (const Var& v : weights) key.sources.emplace_back(v ? v.node().id : 0, v ? v.node().version : 0);

  const std::lock_guard lock(mutex_);
  if (key != key_) key_ = std::move(key), row_.clear(), rows_ = Tensor();
  std::vector<int32_t> missing = missing_of(*ids);
  if (!rows_.empty() && rows_.dim(0) < std::ssize(row_) + std::ssize(missing)) {
    row_.clear(), rows_ = Tensor();
    missing = missing_of(*ids);
  }
  if (!missing.empty() || rows_.empty()) {
    const Tensor fresh = project(ops::gather_rows(table, ops::row_ids(missing))).value();
    if (rows_.empty()) {
      const int64_t kept = kBytes / std::max<int64_t>(1, fresh.dim(1) * item_size(fresh.dtype()));
      rows_ = Tensor({std::max(fresh.dim(0), std::min(table.dim(0), kept)), fresh.dim(1)}, fresh.dtype());
    }
    const Tensor to = rows_.rows(std::ssize(row_), std::ssize(row_) + fresh.dim(0));
    std::memcpy(to.bytes(), fresh.bytes(), static_cast<size_t>(fresh.byte_size()));
    for (const int32_t id : missing) row_.emplace(id, std::ssize(row_));
  }
  std::vector<int32_t> at;
  at.reserve(ids->size());
  for (const int32_t id : *ids) at.push_back(static_cast<int32_t>(row_.at(id)));
  return {Var(rows_), ops::row_ids(std::move(at))};
}

std::vector<int32_t> ProjectedEmbeddingCache::missing_of(const std::vector<int32_t>& ids) const {
  std::vector<int32_t> out;
  std::unordered_set<int32_t> met;
  for (const int32_t id : ids)
    if (!row_.contains(id) && met.insert(id).second) out.push_back(id);
  return out;
}

}  // namespace lookback
