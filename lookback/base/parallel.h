// Threads. Work is split into fixed blocks whose borders depend on the problem alone, so results never depend on how
// many threads ran them, nor on which.
//
// A pool of threads helps whoever calls parallel_for. The caller works too, and takes over what no helper has begun: a
// helper without a core is waited for no longer than the block it holds takes. Who has nothing to do looks for work for
// some microseconds, then sleeps; so a program beside this one gets the cores it needs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>

namespace lookback {

// Threads that parallel work started from this thread will use: what a ThreadScope says, else available_threads(); one
// inside of parallel work.
int thread_count();

// The cores this process may use: those of its affinity mask, but not more than the CPU quota of its control groups (v1
// and v2), rounded up, nor than OMP_NUM_THREADS, if that is set.
int available_threads();

// For the life of this object, parallel work started from this thread uses `threads` threads.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

namespace detail {

// run(context, k) for every k in [0, blocks), by up to thread_count() threads.
void run_blocks(int64_t blocks, void (*run)(void* context, int64_t block), void* context);

}  // namespace detail

// Calls f(begin, end) over [0, n) in blocks of `grain`, several at once. Every element belongs to one block, whatever
// the number of threads. Inside of f the same works on one thread. f must not throw.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  grain = std::max<int64_t>(1, grain);
  auto block = [&](int64_t k) { f(k * grain, std::min(n, (k + 1) * grain)); };
  detail::run_blocks((n + grain - 1) / grain,
                     [](void* context, int64_t k) { (*static_cast<decltype(block)*>(context))(k); }, &block);
}

// The same for an f that may throw: all blocks are called, then what one of them threw is thrown here, of several the
// first.
template <class F>
void parallel_try(int64_t n, int64_t grain, F&& f) {
  std::exception_ptr failed;
  int64_t failed_at = n;
  std::mutex mutex;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    try {
      f(begin, end);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (begin < failed_at) failed = std::current_exception(), failed_at = begin;
    }
  });
  if (failed) std::rethrow_exception(failed);
}

}  // namespace lookback
