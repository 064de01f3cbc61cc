#include "lookback/nn/word_cache.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace lookback {

std::pair<int32_t, bool> WordNumbers::number(std::string_view key, size_t hash) {
  if (2 * (ends_.size() + 1) > slots_.size()) grow();
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].number >= 0; at = (at + 1) & mask)
    if (slots_[at].tag == tag_of(hash) && key_of(slots_[at].number) == key) return {slots_[at].number, false};
  const auto number = static_cast<int32_t>(ends_.size());
  keys_ += key, ends_.push_back(keys_.size());
  free_slot(hash) = {tag_of(hash), number};
  return {number, true};
}

std::string_view WordNumbers::key_of(int32_t number) const {
  const auto n = static_cast<size_t>(number);
  const size_t begin = n == 0 ? 0 : ends_[n - 1];
  return std::string_view(keys_).substr(begin, ends_[n] - begin);
}

WordNumbers::Slot& WordNumbers::free_slot(size_t hash) {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].number >= 0) at = (at + 1) & mask;
  return slots_[at];
}

void WordNumbers::grow() {
  constexpr size_t kFirst = 1024;
  slots_.assign(std::max(kFirst, 2 * slots_.size()), {});
  for (int32_t n = 0; n < std::ssize(ends_); ++n) {
    const size_t hash = hash_of(key_of(n));
    free_slot(hash) = {tag_of(hash), n};
  }
}

WordCache::Rows WordCache::operator()(size_t N, const std::function<void(size_t n, std::string& key)>& write_key,
                                      const std::vector<Var>& weights,
                                      const std::function<Var(const std::vector<size_t>& words)>& read) {
  const NoGrad off;
  const std::lock_guard lock(mutex_);
  std::string key, keys;
  std::vector<std::pair<size_t, size_t>> wanted;  // of each word its hash, and where its key ends
  wanted.reserve(N);
  for (size_t n = 0; n < N; ++n) {
    write_key(n, key);
    keys += key;
    wanted.emplace_back(WordNumbers::hash_of(key), keys.size());
    row_of_.fetch(wanted.back().first);
  }
  const auto look_up = [&](std::vector<size_t>& missing, std::vector<int32_t>& at) {
    at.reserve(N);
    size_t begin = 0;
    for (size_t n = 0; n < N; ++n) {
      const auto [hash, end] = wanted[n];
      const auto [row, is_new] = row_of_.number(std::string_view(keys).substr(begin, end - begin), hash);
      begin = end;
      if (is_new) missing.push_back(n);
      at.push_back(row);
    }
  };
  store_.forget_unless_of(weights);
  ops::RowIds ids = store_.rows_of<size_t>(
      std::numeric_limits<int64_t>::max(), [&] { row_of_.clear(); }, look_up,
      [&](const std::vector<size_t>& missing) { return read(missing).value(); });
  return {store_.rows(), std::move(ids)};
}

}  // namespace lookback
