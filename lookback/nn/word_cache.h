// Private to nn: the vectors of words that were met before.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lookback/nn/row_store.h"
#include "lookback/ops/basic.h"

namespace lookback {

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
  std::unordered_map<std::string, int32_t> row_of_;  // of a key, its row among those that are kept
};

}  // namespace lookback
