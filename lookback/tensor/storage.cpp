#include "lookback/tensor/storage.h"

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "lookback/tensor/arena.h"

namespace lookback {
namespace {

constexpr std::align_val_t kAlignment{64};
// What the pool may take up beyond the most that was ever in use at once.
constexpr int64_t kSlack = int64_t{64} << 20;
// Blocks of this size and more lie in the arena: in the heap, where ragged batches free and ask for
// other sizes all the time, they would leave holes that add up to gigabytes.
constexpr int64_t kLarge = int64_t{1} << 20;

// The sanitizer sees what lies beyond a block of the heap only.
#ifdef __SANITIZE_ADDRESS__
bool is_large(int64_t) { return false; }
#else
bool is_large(int64_t bytes) { return bytes >= kLarge; }
#endif

// Small sizes are rounded up to an eighth of their power of two, so that the ragged
// batches of a run share few sizes and waste at most an eighth.
int64_t rounded(int64_t bytes) {
  if (bytes <= 512) return (bytes + 63) / 64 * 64;
  if (bytes > int64_t{1} << 60) throw std::bad_alloc();  // more than any machine has, and rounding could overflow
  const int64_t step =
      is_large(bytes) ? Arena::kPage : static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes))) / 8;
  return (bytes + step - 1) / step * step;
}

// Free blocks. The pool changes no result; it is the one piece of process-wide state in the library.
class Pool {
 public:
  std::byte* take(int64_t bytes, bool& fresh_zeros) {
    const std::lock_guard lock(mutex_);
    std::byte* const p = is_large(bytes) ? take_large(bytes, fresh_zeros) : take_small(bytes);
    in_use_ += bytes;
    most_in_use_ = std::max(most_in_use_, in_use_);
    return p;
  }

  void give(std::byte* p, int64_t bytes) {
    const std::lock_guard lock(mutex_);
    in_use_ -= bytes;
    if (is_large(bytes)) return large_.give(p, bytes);
    if (bytes >= kLarge) return ::operator delete(p, kAlignment);  // the sanitizer keeps it from being used again
    small_[bytes].push_back(p);
    small_bytes_ += bytes;
  }

  PoolStats stats() {
    const std::lock_guard lock(mutex_);
    return {system_allocations_, in_use_, small_bytes_ + large_.free_bytes()};
  }

 private:
  std::byte* take_small(int64_t bytes) {
    if (const auto fit = small_.find(bytes); fit != small_.end() && !fit->second.empty()) {
      std::byte* const p = fit->second.back();
      fit->second.pop_back();
      small_bytes_ -= bytes;
      return p;
    }
    ++system_allocations_;
    return static_cast<std::byte*>(::operator new(static_cast<size_t>(bytes), kAlignment));
  }

  std::byte* take_large(int64_t bytes, bool& fresh_zeros) {
    if (std::byte* const p = large_.take(bytes, fresh_zeros)) return p;
    // What is free and does not fit goes back before the system is asked for more, as far as it is more than slack.
    const int64_t wanted = in_use_ + bytes, most = std::max(most_in_use_, wanted) + kSlack;
    large_.shrink(std::max<int64_t>(0, most - wanted - small_bytes_));
    ++system_allocations_;
    large_.grow(bytes);
    return large_.take(bytes, fresh_zeros);
  }

  std::mutex mutex_;
  std::map<int64_t, std::vector<std::byte*>> small_;  // by size
  Arena large_;
  int64_t system_allocations_ = 0, in_use_ = 0, most_in_use_ = 0, small_bytes_ = 0;
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
