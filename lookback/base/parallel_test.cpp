#include "lookback/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lookback {
namespace {

TEST(ParallelFor, CoversEveryElementOnce) {
  for (const int threads : {1, 2, 3})
    for (const int64_t n : {0, 1, 7, 64, 1000})
      for (const int64_t grain : {-1, 0, 1, 3, 64, 5000}) {
        const ThreadScope scope(threads);
        std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
        parallel_for(n, grain, [&](int64_t begin, int64_t end) {
          for (int64_t k = begin; k < end; ++k) ++seen[static_cast<size_t>(k)];
        });
        for (const auto& times : seen) ASSERT_EQ(times, 1) << threads << " threads, n " << n << ", grain " << grain;
      }
}

std::set<std::pair<int64_t, int64_t>> blocks_of(int64_t n, int64_t grain, int threads) {
  const ThreadScope scope(threads);
  std::mutex mutex;
  std::set<std::pair<int64_t, int64_t>> blocks;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    const std::lock_guard lock(mutex);
    blocks.emplace(begin, end);
  });
  return blocks;
}

TEST(ParallelFor, BlockBordersDoNotDependOnThreads) {
  const auto one = blocks_of(100, 30, 1);
  EXPECT_EQ(one, (std::set<std::pair<int64_t, int64_t>>{{0, 30}, {30, 60}, {60, 90}, {90, 100}}));
  EXPECT_EQ(blocks_of(100, 30, 2), one);
  EXPECT_EQ(blocks_of(100, 30, 4), one);
}

// Every block waits for the others, so none but different threads can run them.
TEST(ParallelFor, UsesTheThreadsItIsGiven) {
  for (const int threads : {2, 4}) {
    const ThreadScope scope(threads);
    std::atomic<int> here = 0, together = 0;
    parallel_for(threads, 1, [&](int64_t, int64_t) {
      ++here;
      for (const auto begin = std::chrono::steady_clock::now();
           here < threads && std::chrono::steady_clock::now() - begin < std::chrono::seconds(20);)
        std::this_thread::yield();
      together += here == threads;
    });
    EXPECT_EQ(together, threads);
  }
}

TEST(ParallelFor, InsideOfABlockThereIsOneThread) {
  const ThreadScope scope(3);
  std::atomic<int64_t> sum = 0;
  parallel_for(7, 1, [&](int64_t, int64_t) {
    const auto me = std::this_thread::get_id();
    parallel_for(10, 1, [&](int64_t k, int64_t) { sum += std::this_thread::get_id() == me ? k : 1000; });
  });
  EXPECT_EQ(sum, 7 * 45);
}

TEST(ParallelFor, ManyCallersAtOnceGetTheirOwnResults) {
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int64_t caller = 1; caller <= 5; ++caller)
    callers.emplace_back([&, caller] {
      const ThreadScope scope(static_cast<int>(caller));
      for (int64_t round = 0; round < 400; ++round) {
        std::vector<int64_t> out(static_cast<size_t>(1 + round % 50 * caller));
        parallel_for(std::ssize(out), 1 + round % 3, [&](int64_t begin, int64_t end) {
          for (int64_t k = begin; k < end; ++k) out[static_cast<size_t>(k)] += caller * k;
        });
        for (size_t k = 0; k < out.size(); ++k) wrong += out[k] != caller * static_cast<int64_t>(k);
      }
    });
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(wrong, 0);
}

// A helper that is held up keeps its block, and nothing else.
TEST(ParallelFor, WhoIsLateIsWaitedForNoLongerThanABlock) {
  const ThreadScope scope(2);
  const auto caller = std::this_thread::get_id();
  std::atomic<int> late = 0, mine = 0;
  parallel_for(100, 1, [&](int64_t, int64_t) {
    if (std::this_thread::get_id() == caller) {
      // Until the helper is there, or clearly will not come.
      for (int k = 0; k < 2000 && late == 0 && mine == 0; ++k)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ++mine;
    } else {
      ++late;
      while (mine < 99) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  EXPECT_EQ(late, 1);
  EXPECT_EQ(mine, 99);
}

TEST(ParallelTry, CallsAllBlocksAndThrowsWhatTheFirstDid) {
  for (const int threads : {1, 2, 3}) {
    const ThreadScope scope(threads);
    for (int round = 0; round < 20; ++round) {
      std::atomic<int> called = 0;
      try {
        parallel_try(30, 4, [&](int64_t begin, int64_t) {
          ++called;
          if (begin >= 8) throw std::runtime_error(std::to_string(begin));
        });
        FAIL();
      } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "8");
      }
      EXPECT_EQ(called, 8);
    }
    int64_t sum = 0;
    parallel_try(5, 5, [&](int64_t begin, int64_t end) { sum = begin + end; });
    EXPECT_EQ(sum, 5);
    parallel_try(0, 1, [](int64_t, int64_t) { FAIL(); });
  }
}

TEST(ThreadScope, RestoresWhatWasBefore) {
  const int before = thread_count();
  {
    const ThreadScope three(3);
    EXPECT_EQ(thread_count(), 3);
    {
      const ThreadScope one(0);  // below one means one
      EXPECT_EQ(thread_count(), 1);
    }
    EXPECT_EQ(thread_count(), 3);
  }
  EXPECT_EQ(thread_count(), before);
}

}  // namespace
}  // namespace lookback
