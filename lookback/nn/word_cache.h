// Private to nn: the vectors of words that were met before.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lookback/nn/row_store.h"
#include "lookback/ops/basic.h"

namespace lookback {

// Words by their keys, numbered as they come. The memory it looks at is little and close together: between two batches
// everything else goes through the processor's caches.
class WordNumbers {
 public:
  static size_t hash_of(std::string_view key) { return std::hash<std::string_view>()(key); }
  // Tells the processor that a word of that hash will be looked up.
  void fetch(size_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }
  // The number of a word, and whether it is a new one.
  std::pair<int32_t, bool> number(std::string_view key, size_t hash);
  void clear() { slots_.clear(), keys_.clear(), ends_.clear(); }

 private:
  struct Slot {
    uint32_t tag = 0;  // of the hash
    int32_t number = -1;
  };
  static uint32_t tag_of(size_t hash) { return static_cast<uint32_t>(hash >> 32); }
  std::string_view key_of(int32_t number) const;
  Slot& free_slot(size_t hash);
  void grow();

  std::vector<Slot> slots_;   // a power of two, at least half of them free
  std::string keys_;          // of all words, one after the other
  std::vector<size_t> ends_;  // of each word, in keys
};

// For inference. Many threads may ask at once.
class WordCache {
 public:
  struct Rows {
    Var x;            // [R, C], a constant, the same as long as no row of it is forgotten
    ops::RowIds ids;  // [N] rows of it
  };
  // The rows of N words. write_key(n, key) leaves in `key` all that the vector of word n depends on but `weights`, and
  // read(words) makes rows [M, C] of some of the N words, each by itself and always in the same way. A word is read
  // once, as long as the weights and the precision of products stay those of the call before.
  Rows operator()(size_t N, const std::function<void(size_t n, std::string& key)>& write_key,
                  const std::vector<Var>& weights, const std::function<Var(const std::vector<size_t>& words)>& read);

 private:
  std::mutex mutex_;
  RowStore store_;
  WordNumbers row_of_;  // of a key, its row among those that are kept
};

}  // namespace lookback
