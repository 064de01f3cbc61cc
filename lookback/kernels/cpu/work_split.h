// Work for two threads that are not equally fast.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace lookback::kernels::cpu_impl {

// Pieces [begin, end) of some work.
struct Pieces {
  int64_t begin, end;
  bool empty() const { return begin == end; }
};

// Pieces in units, of which one thread takes the lower end and another the upper one: whole units until they come
// close, then ever fewer pieces, so that both are done at once. At most 2^32 pieces.
class WorkSplit {
 public:
  enum class End { lower, upper };

  void reset(Pieces all) { left_.store(packed(all), std::memory_order_relaxed); }

  // The next pieces, all of one unit; none if none are left. Units begin at multiples of `unit`. Not fewer than `least`
  // unless the unit ends: a thread that is alone takes whole units to the last.
  Pieces take(End from, int64_t unit, int64_t least = 1) {
    uint64_t seen = left_.load(std::memory_order_relaxed);
    while (true) {
      const Pieces all{static_cast<int64_t>(seen >> 32), static_cast<int64_t>(seen & 0xFFFFFFFF)};
      if (all.empty()) return all;
      const int64_t left = all.end - all.begin;
      const int64_t some = left >= 2 * unit ? unit : std::min(left, std::max(least, left / 4));
      Pieces mine = all, rest = all;
      if (from == End::lower)
        mine.end = rest.begin = std::min(all.begin + some, (all.begin / unit + 1) * unit);
      else
        mine.begin = rest.end = std::max(all.end - some, (all.end - 1) / unit * unit);
      if (left_.compare_exchange_weak(seen, packed(rest), std::memory_order_relaxed)) return mine;
    }
  }

 private:
  static uint64_t packed(Pieces p) { return static_cast<uint64_t>(p.begin) << 32 | static_cast<uint64_t>(p.end); }

  alignas(64) std::atomic<uint64_t> left_{0};
};

}  // namespace lookback::kernels::cpu_impl
