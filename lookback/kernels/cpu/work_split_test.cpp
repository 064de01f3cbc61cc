#include "lookback/kernels/cpu/work_split.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace lookback::kernels::cpu_impl {
namespace {

using End = WorkSplit::End;

TEST(WorkSplit, WholeUnitsThenEverFewer) {
  WorkSplit ends;
  ends.reset({20, 60});
  std::vector<int64_t> sizes;
  int64_t at = 20;
  for (Pieces p = ends.take(End::lower, 10); !p.empty(); p = ends.take(End::lower, 10)) {
    EXPECT_EQ(p.begin, at);
    at = p.end;
    sizes.push_back(p.end - p.begin);
  }
  EXPECT_EQ(at, 60);
  // 40 left, 30, 20; then a quarter of 10, and so on.
  EXPECT_EQ(sizes, (std::vector<int64_t>{10, 10, 10, 2, 2, 1, 1, 1, 1, 1, 1}));
}

TEST(WorkSplit, AloneAThreadTakesWholeUnits) {
  for (const int64_t units : {1, 2, 3}) {
    WorkSplit ends;
    ends.reset({0, 10 * units});
    for (int64_t k = 0; k < units; ++k) {
      const Pieces p = ends.take(End::lower, 10, 10);
      EXPECT_EQ(p.begin, 10 * k);
      EXPECT_EQ(p.end, 10 * (k + 1));
    }
    EXPECT_TRUE(ends.take(End::lower, 10, 10).empty());
  }
}

TEST(WorkSplit, TheUpperEndIsTheMirrorOfTheLower) {
  for (int64_t pieces = 0; pieces < 70; ++pieces) {
    WorkSplit lower, upper;
    lower.reset({0, pieces / 7 * 7}), upper.reset({0, pieces / 7 * 7});
    while (true) {
      const Pieces a = lower.take(End::lower, 7), b = upper.take(End::upper, 7);
      ASSERT_EQ(a.end - a.begin, b.end - b.begin);
      if (a.empty()) break;
      ASSERT_EQ(a.begin, pieces / 7 * 7 - b.end);
    }
  }
}

TEST(WorkSplit, NobodyGetsPiecesOfTwoUnits) {
  for (const int64_t unit : {1, 2, 5, 11}) {
    WorkSplit ends;
    ends.reset({3 * unit, 12 * unit});
    for (int k = 0;; ++k) {
      const Pieces p = ends.take(k % 3 ? End::lower : End::upper, unit);
      if (p.empty()) break;
      ASSERT_EQ(p.begin / unit, (p.end - 1) / unit);
    }
  }
}

TEST(WorkSplit, TwoThreadsTakeEveryPieceOnce) {
  constexpr int64_t kPieces = 40'000;
  WorkSplit ends;
  ends.reset({0, kPieces});
  std::vector<int> taken(kPieces);  // not atomic: the thread sanitizer sees two that take the same
  const auto work = [&](End from) {
    for (Pieces p = ends.take(from, 4); !p.empty(); p = ends.take(from, 4))
      for (int64_t k = p.begin; k < p.end; ++k) ++taken[static_cast<size_t>(k)];
  };
  std::thread other(work, End::upper);
  work(End::lower);
  other.join();
  EXPECT_EQ(taken, std::vector<int>(kPieces, 1));
}

}  // namespace
}  // namespace lookback::kernels::cpu_impl
