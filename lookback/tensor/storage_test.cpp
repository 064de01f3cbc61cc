#include "lookback/tensor/storage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "lookback/tensor/tensor.h"

namespace lookback {
namespace {

TEST(Storage, IsAlignedAndLargeEnough) {
  for (const int64_t bytes : {0, 1, 63, 64, 65, 512, 513, 1000, 4096, 100001, 1 << 20}) {
    const Storage s(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(s.data()) % 64, 0u) << bytes;
    EXPECT_GE(s.bytes(), bytes);
    EXPECT_LE(s.bytes(), bytes + std::max<int64_t>(64, bytes / 8)) << "more than an eighth is wasted";
    std::memset(s.data(), 1, static_cast<size_t>(s.bytes()));
  }
}

TEST(Storage, BytesOfAnotherOwnerAreKeptAsLongAsAnyHandleToThem) {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  const std::weak_ptr<std::vector<float>> watch = owner;
  std::byte* bytes = reinterpret_cast<std::byte*>(owner->data());
  const int64_t in_use = pool_stats().bytes_in_use;
  Tensor last;
  {
    const Tensor all = Tensor::view({2, 2}, Dtype::f32, bytes, std::move(owner));
    EXPECT_EQ(all.bytes(), bytes);
    EXPECT_THROW(Tensor::view({1}, Dtype::f32, bytes + 1, nullptr), ShapeError);
    last = all.rows(1, 2);
  }
  EXPECT_EQ(last.data<float>()[1], 4);
  EXPECT_FALSE(watch.expired());
  last = Tensor();
  EXPECT_TRUE(watch.expired());
  EXPECT_EQ(pool_stats().bytes_in_use, in_use);
}

TEST(Storage, AFreedBlockIsReused) {
  std::byte* first = nullptr;
  {
    const Storage s(12345);
    first = s.data();
  }
  const Storage again(12340);  // rounds to the same size
  EXPECT_EQ(again.data(), first);
}

TEST(Storage, ASteadyLoopAsksTheSystemForNothing) {
  auto step = [] {
    std::vector<Tensor> kept;
    for (const int64_t n : {1, 17, 300, 4097, 65536, 17}) kept.push_back(Tensor::zeros({n, 3}));
    kept.erase(kept.begin() + 1);
    kept.push_back(kept[0].clone());
  };
  step();
  const int64_t before = pool_stats().system_allocations;
  for (int k = 0; k < 100; ++k) step();
  EXPECT_EQ(pool_stats().system_allocations, before);
}

TEST(Storage, RaggedSizesShareBlocks) {
  { const Storage s(900000); }
  const int64_t before = pool_stats().system_allocations;
  for (int64_t bytes = 890000; bytes < 900000; bytes += 100) const Storage s(bytes);
  EXPECT_EQ(pool_stats().system_allocations, before);
}

TEST(Storage, ZerosAreZerosWhereverTheBlockComesFrom) {
  const auto expect_zeros = [](int64_t n) {
    const Tensor t = Tensor::zeros({n});
    EXPECT_TRUE(std::all_of(t.data<float>(), t.data<float>() + n, [](float x) { return x == 0; })) << n;
    std::fill_n(t.data<float>(), n, 1.0f);
  };
  for (const int64_t n : {10, 1 << 19, 3 << 20})
    for (int k = 0; k < 3; ++k) expect_zeros(n);  // from the system, then from the pool
}

TEST(Storage, CountsWhatIsInUseAndWhatIsKept) {
  const PoolStats before = pool_stats();
  {
    const Storage s(777777);
    EXPECT_EQ(pool_stats().bytes_in_use, before.bytes_in_use + s.bytes());
  }
  EXPECT_EQ(pool_stats().bytes_in_use, before.bytes_in_use);
  EXPECT_GE(pool_stats().bytes_cached, before.bytes_cached);
}

TEST(Storage, FreeBlocksThatDoNotFitGoBackBeforeMoreIsAskedFor) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "under the address sanitizer blocks lie in the heap";
#endif
  const int64_t before = pool_stats().bytes_in_use;
  { const Storage a(int64_t{160} << 20); }
  const Storage b(int64_t{100} << 20);
  // Instead of 260: no more than was in use at once, and what may lie idle beside it.
  EXPECT_LE(pool_stats().bytes_in_use + pool_stats().bytes_cached - before, int64_t{225} << 20);
}

TEST(Storage, TakesUpNoMoreThanWasInUseAtOnceAndItsSlack) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "under the address sanitizer blocks lie in the heap";
#endif
  // Never touched, so these cost address space only.
  constexpr int64_t kMiB = int64_t{1} << 20;
  const int64_t most = pool_stats().bytes_in_use + 801 * kMiB;
  auto a = std::make_unique<Storage>(400 * kMiB);
  const Storage between(kMiB);
  auto b = std::make_unique<Storage>(400 * kMiB);
  a.reset(), b.reset();
  const Storage fits_in_neither(600 * kMiB);
  EXPECT_LE(pool_stats().bytes_in_use + pool_stats().bytes_cached, most + 66 * kMiB);
}

TEST(Storage, RaggedSizesShareMemoryHoweverTheyDiffer) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "under the address sanitizer blocks lie in the heap";
#endif
  // Never touched, so these cost address space only.
  { const Storage all(int64_t{300} << 20); }
  const int64_t before = pool_stats().system_allocations;
  for (int64_t n = 20; n < 70; ++n) {
    const Storage a(n << 20), b((150 - 2 * n) << 20), c((n << 20) + 4096);
  }
  EXPECT_EQ(pool_stats().system_allocations, before);
}

TEST(Storage, ARefusedBlockThrowsAndIsNotCounted) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer ends the program where operator new would throw";
#endif
  const int64_t before = pool_stats().bytes_in_use;
  EXPECT_THROW(Storage(int64_t{1} << 60), std::bad_alloc);
  EXPECT_EQ(pool_stats().bytes_in_use, before);
}

TEST(Storage, ThreadsNeverShareABlock) {
  std::atomic<int> waiting = 2;
  auto work = [&](int id, int* faults) {
    --waiting;
    while (waiting > 0) std::this_thread::yield();
    for (int k = 0; k < 200000; ++k) {
      const Storage s(64 + k % 3 * 64);
      auto* owner = reinterpret_cast<volatile int*>(s.data());
      *owner = id;
      *faults += *owner != id;
    }
  };
  int faults[2] = {0, 0};
  std::thread one(work, 1, &faults[0]), two(work, 2, &faults[1]);
  one.join();
  two.join();
  EXPECT_EQ(faults[0] + faults[1], 0);
}

}  // namespace
}  // namespace lookback
