#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace lookback {

// A block of 64-byte aligned memory. Blocks go back to a pool when they are
// freed, so a steady loop asks the system for nothing. Thread-safe. Or bytes that
// somebody else owns, aligned and writable as they may be.
class Storage {
 public:
  // `bytes` uninitialised bytes. Throws std::bad_alloc.
  explicit Storage(int64_t bytes);
  // Bytes of another owner, such as a mapped file, which lives as long as this does.
  Storage(std::byte* data, int64_t bytes, std::shared_ptr<const void> owner)
      : data_(data), bytes_(bytes), owner_(std::move(owner)) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  // Whether nobody has used the block before: the system gives large ones as zeros.
  bool fresh_zeros() const { return fresh_zeros_; }

 private:
  std::byte* data_;
  int64_t bytes_;
  bool fresh_zeros_ = false;
  std::shared_ptr<const void> owner_;  // null: the pool
};

struct PoolStats {
  int64_t system_allocations;  // blocks asked of the system since the program started
  int64_t bytes_in_use;
  int64_t bytes_cached;  // freed blocks kept for reuse
};

PoolStats pool_stats();

}  // namespace lookback
