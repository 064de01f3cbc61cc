#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace lookback {

// A block of 64-byte aligned memory. Blocks go back to a pool when they are
// freed, so a steady loop asks the system for nothing. Thread-safe.
class Storage {
 public:
  // `bytes` uninitialised bytes. Throws std::bad_alloc.
  explicit Storage(int64_t bytes);
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
};

struct PoolStats {
  int64_t system_allocations;  // blocks asked of the system since the program started
  int64_t bytes_in_use;
  int64_t bytes_cached;  // freed blocks kept for reuse
};

PoolStats pool_stats();

}  // namespace lookback
