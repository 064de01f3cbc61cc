#include "lookback/nn/word_cache.h"

#include <limits>

namespace lookback {

WordCache::Rows WordCache::operator()(size_t N, const std::function<void(size_t n, std::string& key)>& write_key,
                                      const std::vector<Var>& weights,
                                      const std::function<Var(const std::vector<size_t>& words)>& read) {
  const NoGrad off;
  const std::lock_guard lock(mutex_);
  const auto forget = [&] { store_.forget(), row_of_.clear(); };
  std::vector<size_t> missing;
  std::vector<int32_t> at;
  std::string key;
  // Of the rows wanted where they are, or will be.
  const auto look_up = [&] {
    missing.clear(), at.clear(), at.reserve(N);
    for (size_t n = 0; n < N; ++n) {
      write_key(n, key);
      const auto [found, is_new] = row_of_.try_emplace(key, static_cast<int32_t>(row_of_.size()));
      if (is_new) missing.push_back(n);
      at.push_back(found->second);
    }
  };
  if (!store_.still_of(weights)) forget();
  look_up();
  if (!store_.has_room(std::ssize(missing))) forget(), look_up();
  if (!missing.empty() || !store_.rows()) try {
      store_.append(read(missing).value(), std::numeric_limits<int64_t>::max());
    } catch (...) {
      forget();  // keys would have rows that are not there
      throw;
    }
  return {store_.rows(), ops::row_ids(std::move(at))};
}

}  // namespace lookback
