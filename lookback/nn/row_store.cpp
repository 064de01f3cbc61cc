#include "lookback/nn/row_store.h"

#include <algorithm>
#include <cstring>

namespace lookback {
namespace {

constexpr int64_t kBytes = int64_t{96} << 20;  // then all are forgotten, and the frequent ones soon back

}  // namespace

void RowStore::forget_unless_of(std::span<const Var> sources, std::span<const Var> more) {
  Key key{.sources = {}, .precision = product_precision()};
  key.sources.reserve(sources.size() + more.size());
  for (const auto& some : {sources, more})
    for (const Var& v : some) key.sources.emplace_back(v ? v.node().id : 0, v ? v.node().version : 0);
  if (key == key_) return;
  key_ = std::move(key);
  forget();
}

void RowStore::append(const Tensor& rows, int64_t most) {
  if (!rows_) {
    const int64_t kept = kBytes / std::max<int64_t>(1, rows.dim(1) * item_size(rows.dtype()));
    rows_ = Var(Tensor({std::max(rows.dim(0), std::min(most, kept)), rows.dim(1)}, rows.dtype()));
  }
  const Tensor to = rows_.value().rows(count_, count_ + rows.dim(0));
  std::memcpy(to.bytes(), rows.bytes(), static_cast<size_t>(rows.byte_size()));
  count_ += rows.dim(0);
}

}  // namespace lookback
