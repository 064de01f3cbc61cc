#include "lookback/tensor/storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace lookback {
namespace {

constexpr std::align_val_t kAlignment{64};
// Freed blocks beyond this many bytes go back to the system.
constexpr int64_t kMaxCached = int64_t{256} << 20;
// What the pool may take up beyond the most that was ever in use at once.
constexpr int64_t kSlack = int64_t{64} << 20;
// Blocks of this size and more are mappings of their own: in the heap, where ragged batches free
// and ask for other sizes all the time, they would leave holes that add up to gigabytes.
constexpr int64_t kMapped = int64_t{1} << 20;

// Sizes are rounded up to an eighth of their power of two, so that the ragged
// batches of a run share few sizes and waste at most an eighth.
int64_t rounded(int64_t bytes) {
  if (bytes <= 512) return (bytes + 63) / 64 * 64;
  if (bytes > int64_t{1} << 60) throw std::bad_alloc();  // more than any machine has, and rounding could overflow
  const int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes))) / 8;
  return (bytes + step - 1) / step * step;
}

// The sanitizer sees what lies beyond a block of the heap only.
#ifdef __SANITIZE_ADDRESS__
bool is_mapped(int64_t) { return false; }
#else
bool is_mapped(int64_t bytes) { return bytes >= kMapped; }
#endif

std::byte* from_system(int64_t bytes) {
  const auto size = static_cast<size_t>(bytes);
  if (!is_mapped(bytes)) return static_cast<std::byte*>(::operator new(size, kAlignment));
  void* p = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  ::madvise(p, size, MADV_HUGEPAGE);  // fewer page faults; where it is not granted, nothing is lost
  return static_cast<std::byte*>(p);
}

void to_system(std::byte* p, int64_t bytes) {
  if (is_mapped(bytes))
    ::munmap(p, static_cast<size_t>(bytes));
  else
    ::operator delete(p, kAlignment);
}

// Free blocks by size. The pool changes no result; it is the one piece of
// process-wide state in the library.
class Pool {
 public:
  // A block of `bytes`, which become its size: large ones may be up to a quarter larger than asked for.
  std::byte* take(int64_t& bytes, bool& fresh_zeros) {
    {
      const std::lock_guard lock(mutex_);
      const auto fit = free_.lower_bound(bytes);
      if (fit != free_.end() && fit->first <= (bytes < kMapped ? bytes : bytes + bytes / 4)) {
        std::byte* p = fit->second.back();
        bytes = fit->first;
        fit->second.pop_back();
        if (fit->second.empty()) free_.erase(fit);
        cached_ -= bytes, in_use_ += bytes;
        return p;
      }
      make_room(bytes);
      in_use_ += bytes;
      ++system_allocations_;
    }
    try {
      fresh_zeros = is_mapped(bytes);
      return from_system(bytes);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      in_use_ -= bytes;
      throw;
    }
  }

  void give(std::byte* p, int64_t bytes) {
    const std::lock_guard lock(mutex_);
    most_in_use_ = std::max(most_in_use_, in_use_);  // it was never more between this and the last time
    in_use_ -= bytes;
    if (cached_ + bytes > kMaxCached) return to_system(p, bytes);
    cached_ += bytes;
    free_[bytes].push_back(p);
  }

  PoolStats stats() {
    const std::lock_guard lock(mutex_);
    return {system_allocations_, in_use_, cached_};
  }

 private:
  // Before the system is asked for more: free mappings that do not fit go back to it, the largest first, so that a long
  // sequence does not cost its blocks and, beside them, those of all the sizes before.
  void make_room(int64_t bytes) {
    const int64_t wanted = in_use_ + bytes, most = std::max(most_in_use_, wanted) + kSlack;
    while (wanted + cached_ > most && !free_.empty() && is_mapped(free_.rbegin()->first)) {
      const auto largest = std::prev(free_.end());
      cached_ -= largest->first;
      to_system(largest->second.back(), largest->first);
      largest->second.pop_back();
      if (largest->second.empty()) free_.erase(largest);
    }
  }

  std::mutex mutex_;
  std::map<int64_t, std::vector<std::byte*>> free_;
  int64_t system_allocations_ = 0, in_use_ = 0, most_in_use_ = 0, cached_ = 0;
};

// Never destroyed: storages held by statics of the embedding program may outlive everything else.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

}  // namespace

Storage::Storage(int64_t bytes) : data_(nullptr), bytes_(rounded(bytes < 1 ? 1 : bytes)) {
  data_ = pool().take(bytes_, fresh_zeros_);
}

Storage::~Storage() {
  if (!owner_) pool().give(data_, bytes_);
}

PoolStats pool_stats() { return pool().stats(); }

}  // namespace lookback
