#include "lookback/nn/word_cache.h"

#include <limits>

namespace lookback {

WordCache::Rows WordCache::operator()(size_t N, const std::function<void(size_t n, std::string& key)>& write_key,
                                      const std::vector<Var>& weights,
                                      const std::function<Var(const std::vector<size_t>& words)>& read) {
  const NoGrad off;
  const std::lock_guard lock(mutex_);
  std::string key;
  const auto look_up = [&](std::vector<size_t>& missing, std::vector<int32_t>& at) {
    at.reserve(N);
    for (size_t n = 0; n < N; ++n) {
      write_key(n, key);
      const auto [found, is_new] = row_of_.try_emplace(key, static_cast<int32_t>(row_of_.size()));
      if (is_new) missing.push_back(n);
      at.push_back(found->second);
    }
  };
  store_.forget_unless_of(weights);
  ops::RowIds ids = store_.rows_of<size_t>(
      std::numeric_limits<int64_t>::max(), [&] { row_of_.clear(); }, look_up,
      [&](const std::vector<size_t>& missing) { return read(missing).value(); });
  return {store_.rows(), std::move(ids)};
}

}  // namespace lookback
