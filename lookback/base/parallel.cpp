#include "lookback/base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

#include "lookback/base/cpu_quota.h"

namespace lookback {
namespace {

// How long a thread looks for work, or a caller for the end of a block: first without a break, then giving way to
// whoever wants the core. After that it sleeps; to be woken takes longer than many products.
constexpr std::chrono::microseconds kSpin{20}, kPatience{60};
constexpr int kMaxThreads = 4096;  // as --threads has it

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether done() became true within kPatience.
template <class F>
bool spin_until(F&& done) {
  const auto begin = std::chrono::steady_clock::now();
  for (auto waited = begin - begin; waited < kPatience; waited = std::chrono::steady_clock::now() - begin) {
    if (waited > kSpin) ::sched_yield();
    for (int k = 0; k < 16; ++k) {
      if (done()) return true;
      pause_briefly();
    }
  }
  return false;
}

// Moves this thread to another core than `cpu`, if it may use one: whoever helps on the caller's own core only takes
// turns with it, and where a program beside keeps the other core busy the system leaves it at that. Now and then at
// most.
void leave_core(int cpu) {
  constexpr std::chrono::milliseconds kPause{5};
  thread_local std::chrono::steady_clock::time_point last;
  const auto now = std::chrono::steady_clock::now();
  if (now - last < kPause) return;
  last = now;
  cpu_set_t allowed, others;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  others = allowed;
  CPU_CLR(static_cast<size_t>(cpu), &others);
  if (CPU_COUNT(&others) == 0 || ::sched_setaffinity(0, sizeof others, &others) != 0) return;
  ::sched_setaffinity(0, sizeof allowed, &allowed);
}

// The blocks that one thread begins with. It takes them from the front, the others from the back.
class alignas(64) Range {
 public:
  void reset(int64_t begin, int64_t end) { left_.store(packed(begin, end), std::memory_order_relaxed); }
  // A block, or -1 if none is left.
  int64_t take_front() {
    return take([](int64_t& begin, int64_t&) { return begin++; });
  }
  int64_t take_back() {
    return take([](int64_t&, int64_t& end) { return --end; });
  }

 private:
  static uint64_t packed(int64_t begin, int64_t end) {
    return static_cast<uint64_t>(begin) << 32 | static_cast<uint64_t>(end);
  }
  template <class F>
  int64_t take(F&& one) {
    uint64_t seen = left_.load(std::memory_order_relaxed);
    while (true) {
      auto begin = static_cast<int64_t>(seen >> 32), end = static_cast<int64_t>(seen & 0xFFFFFFFF);
      if (begin == end) return -1;
      const int64_t block = one(begin, end);
      if (left_.compare_exchange_weak(seen, packed(begin, end), std::memory_order_relaxed)) return block;
    }
  }

  std::atomic<uint64_t> left_{0};
};

// The work of one calling thread. Jobs are kept for the next caller and never freed, so a helper that comes late finds
// one that is closed.
struct Job {
  // Places for helpers that are still open, times kPlace, plus the helpers that are at work.
  std::atomic<uint32_t> state{0};
  static constexpr uint32_t kPlace = 1 << 16, kAtWork = kPlace - 1;

  // Written while the job is closed and nobody is at work.
  void (*run)(void*, int64_t) = nullptr;
  void* context = nullptr;
  int threads = 0;
  std::unique_ptr<Range[]> ranges;
  int room = 0;

  std::atomic<int> cpu{-1};  // where the caller was when it opened the job
  std::atomic<bool> taken{true};
  Job* next = nullptr;

  void open(int64_t blocks, int count) {
    if (room < count) ranges = std::make_unique<Range[]>(static_cast<size_t>(room = count));
    for (int k = 0; k < count; ++k) ranges[static_cast<size_t>(k)].reset(blocks * k / count, blocks * (k + 1) / count);
    threads = count;
    cpu.store(::sched_getcpu(), std::memory_order_relaxed);
    state.store(static_cast<uint32_t>(count - 1) * kPlace, std::memory_order_release);
  }

  void work(int me) {
    const auto range = [&](int k) -> Range& { return ranges[static_cast<size_t>(k)]; };
    for (int64_t block; (block = range(me).take_front()) >= 0;) run(context, block);
    for (int k = 1; k < threads; ++k)
      for (int64_t block; (block = range((me + k) % threads).take_back()) >= 0;) run(context, block);
  }

  // Takes an open place, if there is one.
  bool help() {
    uint32_t seen = state.load(std::memory_order_relaxed);
    if (const int here = ::sched_getcpu(); seen >= kPlace && here == cpu.load(std::memory_order_relaxed))
      leave_core(here);
    while (seen >= kPlace) {
      if (!state.compare_exchange_weak(seen, seen - kPlace + 1, std::memory_order_acquire)) continue;
      work(static_cast<int>(seen / kPlace));
      if (state.fetch_sub(1, std::memory_order_release) == 1) state.notify_one();
      return true;
    }
    return false;
  }

  // Lets nobody in any more, and waits for those who are.
  void close() {
    uint32_t left = state.fetch_and(kAtWork, std::memory_order_acquire) & kAtWork;
    const auto done = [&] { return (left = state.load(std::memory_order_acquire)) == 0; };
    if (left == 0 || spin_until(done)) return;
    for (; left != 0; left = state.load(std::memory_order_acquire)) state.wait(left, std::memory_order_acquire);
  }
};

thread_local bool at_work = false;  // this thread runs a block
thread_local int chosen_threads = 0;

class Pool {
 public:
  // Lives as long as the process: its threads may be asleep in it to the end.
  static Pool& instance() {
    static Pool& pool = *new Pool;
    return pool;
  }

  Job& job() {
    thread_local const Lease lease(*this);
    return *lease.job;
  }

  // Calls up to `wanted` helpers; none has to come.
  void call(int wanted) {
    if (helpers_.load(std::memory_order_relaxed) < wanted) start(wanted);
    called_.fetch_add(1);
    const int sleepers = sleepers_.load();
    if (sleepers > wanted)
      for (int k = 0; k < wanted; ++k) called_.notify_one();
    else if (sleepers > 0)
      called_.notify_all();
  }

 private:
  struct Lease {
    Job* job;
    explicit Lease(Pool& pool) : job(pool.lend()) {}
    ~Lease() { job->taken = false; }
  };

  Job* lend() {
    for (Job* job = jobs_; job; job = job->next)
      if (!job->taken.exchange(true)) return job;
    Job* const job = new Job;
    job->next = jobs_;
    while (!jobs_.compare_exchange_weak(job->next, job)) continue;
    return job;
  }

  void start(int wanted) {
    const std::lock_guard lock(mutex_);
    // Signals are for the threads of the program.
    sigset_t all, before;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) sigdelset(&all, fault);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    try {
      for (; helpers_ < wanted; ++helpers_) std::thread([this] { help_for_ever(); }).detach();
    } catch (const std::system_error&) {
      // The system gives no more threads: those there are do the work.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  bool help_somebody() {
    bool any = false;
    for (Job* job = jobs_; job; job = job->next) any = job->help() || any;
    return any;
  }

  void help_for_ever() {
    at_work = true;
    while (true) {
      const uint32_t seen = called_.load();
      if (help_somebody()) continue;
      const auto called = [&] { return called_.load(std::memory_order_relaxed) != seen; };
      if (spin_until(called)) continue;
      ++sleepers_;
      called_.wait(seen);
      --sleepers_;
    }
  }

  std::mutex mutex_;  // for start
  std::atomic<int> helpers_{0};
  std::atomic<Job*> jobs_{nullptr};
  alignas(64) std::atomic<uint32_t> called_{0};  // times that helpers were called
  std::atomic<int> sleepers_{0};
};

}  // namespace

int available_threads() {
  static const int threads = allowed_cpus();
  return threads;
}

int thread_count() {
  if (at_work) return 1;
  return chosen_threads > 0 ? chosen_threads : available_threads();
}

ThreadScope::ThreadScope(int threads) : before_(chosen_threads) {
  chosen_threads = std::clamp(threads, 1, kMaxThreads);
}
ThreadScope::~ThreadScope() { chosen_threads = before_; }

void detail::run_blocks(int64_t blocks, void (*run)(void*, int64_t), void* context) {
  const auto threads = static_cast<int>(std::min<int64_t>(blocks, thread_count()));
  constexpr int64_t kMostBlocks = 0xFFFFFFFF;
  if (threads <= 1 || at_work || blocks > kMostBlocks) {
    for (int64_t k = 0; k < blocks; ++k) run(context, k);
    return;
  }
  Pool& pool = Pool::instance();
  Job& job = pool.job();
  job.run = run, job.context = context;
  job.open(blocks, threads);
  at_work = true;
  pool.call(threads - 1);
  job.work(0);
  job.close();
  at_work = false;
}

}  // namespace lookback
