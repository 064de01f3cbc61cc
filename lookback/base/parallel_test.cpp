#include "lookback/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
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

TEST(ParallelFor, UsesTheThreadsItIsGiven) {
  const ThreadScope scope(2);
  std::atomic<int> team = 0;
  parallel_for(2, 1, [&](int64_t, int64_t) { team = omp_get_num_threads(); });
  EXPECT_EQ(team, 2);
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
