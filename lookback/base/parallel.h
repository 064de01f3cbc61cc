// Threads, by OpenMP. Work is split into fixed blocks whose borders depend on
// the problem alone, so results never depend on how many threads ran them.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace lookback {

// Threads that parallel work started from this thread will use.
inline int thread_count() { return omp_get_max_threads(); }

// For the life of this object, parallel work started from this thread uses `threads` threads.
class ThreadScope {
 public:
  explicit ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(std::max(1, threads)); }
  ~ThreadScope() { omp_set_num_threads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

// Calls f(begin, end) over [0, n) in blocks of `grain`, several at once. Every
// element belongs to one block, whatever the number of threads. f must not throw.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  grain = std::max<int64_t>(1, grain);
  const int64_t blocks = (n + grain - 1) / grain;
  if (blocks <= 1 || omp_get_max_threads() == 1) {
    for (int64_t k = 0; k < blocks; ++k) f(k * grain, std::min(n, (k + 1) * grain));
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t k = 0; k < blocks; ++k) f(k * grain, std::min(n, (k + 1) * grain));
}

}  // namespace lookback
