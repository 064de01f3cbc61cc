#include "lookback/autograd/side_by_side.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

namespace lookback {
namespace {

TEST(SideBySide, IsForAsManyPiecesAsThereAreThreads) {
  for (const int threads : {1, 2, 3})
    for (const size_t pieces : {0, 1, 2, 3, 4}) {
      const ThreadScope scope(threads);
      EXPECT_EQ(side_by_side(pieces), threads > 1 && pieces >= static_cast<size_t>(threads));
    }
}

TEST(EachPiece, RunsOnceUnderWhatTheCallerHasSet) {
  for (const int threads : {1, 2, 3})
    for (const bool grad : {true, false}) {
      const ThreadScope scope(threads);
      const PrecisionScope precision(Precision::bf16);
      std::optional<NoGrad> off;
      if (!grad) off.emplace();
      for (const size_t pieces : {0, 1, 2, 7}) {
        std::vector<std::atomic<int>> runs(pieces);
        std::atomic<bool> as_set = true;
        each_piece(pieces, [&](size_t k) {
          ++runs[k];
          if (product_precision() != Precision::bf16 || grad_enabled() != grad) as_set = false;
        });
        for (const auto& times : runs) EXPECT_EQ(times, 1);
        EXPECT_TRUE(as_set);
      }
    }
}

TEST(EachPiece, ThrowsWhatTheFirstOfThemDid) {
  for (const int threads : {1, 2, 3}) {
    const ThreadScope scope(threads);
    for (int round = 0; round < 20; ++round) try {
        each_piece(9, [](size_t k) {
          if (k % 3 == 2) throw std::runtime_error(std::to_string(k));
        });
        FAIL();
      } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "2");
      }
  }
  each_piece(2, [](size_t) { EXPECT_TRUE(grad_enabled()); });
}

}  // namespace
}  // namespace lookback
