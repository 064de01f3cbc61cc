#include "lookback/tensor/storage.h"

#include <bit>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace lookback {
namespace {

constexpr std::align_val_t kAlignment{64};
// Freed blocks beyond this many bytes go back to the system.
constexpr int64_t kMaxCached = int64_t{512} << 20;

// Sizes are rounded up to an eighth of their power of two, so that the ragged
// batches of a run share few sizes and waste at most an eighth.
int64_t rounded(int64_t bytes) {
  if (bytes <= 512) return (bytes + 63) / 64 * 64;
  if (bytes > int64_t{1} << 60) throw std::bad_alloc();  // more than any machine has, and rounding could overflow
  const int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes))) / 8;
  return (bytes + step - 1) / step * step;
}

// Free blocks by size. The pool changes no result; it is the one piece of
// process-wide state in the library.
class Pool {
 public:
  std::byte* take(int64_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      in_use_ += bytes;
      auto& list = free_[bytes];
      if (!list.empty()) {
        std::byte* p = list.back();
        list.pop_back();
        cached_ -= bytes;
        return p;
      }
      ++system_allocations_;
    }
    try {
      return static_cast<std::byte*>(::operator new(static_cast<size_t>(bytes), kAlignment));
    } catch (...) {
      const std::lock_guard lock(mutex_);
      in_use_ -= bytes;
      throw;
    }
  }

  void give(std::byte* p, int64_t bytes) {
    const std::lock_guard lock(mutex_);
    in_use_ -= bytes;
    if (cached_ + bytes > kMaxCached) {
      ::operator delete(p, kAlignment);
      return;
    }
    cached_ += bytes;
    free_[bytes].push_back(p);
  }

  PoolStats stats() {
    const std::lock_guard lock(mutex_);
    return {system_allocations_, in_use_, cached_};
  }

 private:
  std::mutex mutex_;
  std::map<int64_t, std::vector<std::byte*>> free_;
  int64_t system_allocations_ = 0, in_use_ = 0, cached_ = 0;
};

// Never destroyed: storages held by statics of the embedding program may outlive everything else.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

}  // namespace

Storage::Storage(int64_t bytes) : data_(nullptr), bytes_(rounded(bytes < 1 ? 1 : bytes)) { data_ = pool().take(bytes_); }

Storage::~Storage() { pool().give(data_, bytes_); }

PoolStats pool_stats() { return pool().stats(); }

}  // namespace lookback
