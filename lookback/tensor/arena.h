// Private to tensor: large blocks of memory, cut from mappings and joined again with what is free beside them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace lookback {

// Not thread-safe. What was mapped is not given back when an arena is destroyed.
class Arena {
 public:
  static constexpr int64_t kPage = 4096;

  // The tightest free range that `bytes` fit in gives them; null if there is none. `bytes` are whole pages.
  std::byte* take(int64_t bytes, bool& fresh_zeros);
  // Asks the system for `bytes` more. Throws std::bad_alloc.
  void grow(int64_t bytes);
  void give(std::byte* block, int64_t bytes) { join(block, {bytes, false}); }
  // Gives ranges back to the system, the largest first, until no more than `bytes` are free.
  void shrink(int64_t bytes);

  int64_t free_bytes() const { return free_bytes_; }

 private:
  struct Range {
    int64_t bytes;
    bool fresh_zeros;  // nobody has used it: the system maps zeros
  };
  void join(std::byte* at, Range range);
  Range remove(std::map<std::byte*, Range>::iterator range);

  std::map<std::byte*, Range> ranges_;  // the free ones; no two touch
  std::set<std::pair<int64_t, std::byte*>> by_size_;
  int64_t free_bytes_ = 0;
};

}  // namespace lookback
