#include "lookback/ops/spans.h"

#include <limits>

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::Inputs;
using testing::random_param;
using testing::same_bits;
using testing::uneven;

// Sentences of 4, 0 and 3 positions; rows that see all of one.
ops::Visible whole() { return {MemoryLayout(std::vector<int64_t>{4, 0, 3}), ops::row_ids({0, 0, 1, 2, 2})}; }
// The same rows with one, three, no, two and no positions.
ops::Visible narrow() {
  const ops::Visible all = whole();
  return {all.memory, all.sentence_of_row, ops::row_ids({3, 0, 0, 1, 2}), ops::row_ids({4, 3, 0, 3, 2})};
}

TEST(Spans, AreCutAndFilledUp) {
  const Var x(Tensor::of<float>({5, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 9, 10, 11, 0, 12, 13, 14, 0}));
  const Var cut = ops::respan(x, whole(), narrow());
  EXPECT_TRUE(same_bits(cut.value(), Tensor::of<float>({5, 3}, {4, 0, 0, 5, 6, 7, 0, 0, 0, 10, 11, 0, 0, 0, 0})));
  EXPECT_TRUE(
      same_bits(ops::respan(cut, narrow(), whole(), 1, -1).value(),
                Tensor::of<float>({5, 4}, {-1, -1, -1, 4, 5, 6, 7, -1, 0, 0, 0, 0, -1, 10, 11, 0, -1, -1, -1, 0})));
  EXPECT_TRUE(same_bits(ops::respan(x, whole(), whole()).value(), x.value()));
  const Var two(Tensor::of<float>({1, 6}, {1, 2, 3, 4, 5, 6}));
  const ops::Visible three{MemoryLayout(std::vector<int64_t>{3}), ops::row_ids({0})};
  EXPECT_TRUE(same_bits(ops::respan(two, three, three.within(ops::row_ids({2}), 1), 2).value(),
                        Tensor::of<float>({1, 4}, {3, 4, 5, 6})));
}

TEST(Spans, HaveTheirGradients) {
  for (const int64_t F : {1, 3}) {
    check_op({random_param({5, 4 * F}, 1)},
             [&](const Inputs& in) { return uneven(ops::respan(in[0], whole(), narrow(), F)); });
    check_op({random_param({5, 3 * F}, 2)},
             [&](const Inputs& in) { return uneven(ops::respan(in[0], narrow(), whole(), F, 2)); });
  }
}

TEST(Spans, OfOtherRowsOrWidthsAreRefused) {
  const Var x = random_param({5, 4}, 1);
  EXPECT_THROW(ops::respan(x, narrow(), whole()), ShapeError);
  EXPECT_THROW(ops::respan(x, whole(), narrow(), 2), ShapeError);
  const ops::Visible one{MemoryLayout(std::vector<int64_t>{4}), ops::row_ids({0})};
  EXPECT_THROW(ops::respan(x, whole(), one), ShapeError);
  EXPECT_THROW(ops::median_positions(x, one), ShapeError);
}

TEST(Spans, TheMedianIsWhereHalfOfTheWeightIsReached) {
  const Var w(Tensor::of<float>(
      {5, 4}, {0.25F, 0.25F, 0.25F, 0.25F, 0, 0, 0.125F, 0.875F, 0, 0, 0, 0, 0, 0, 0, 0, 0.375F, 0.25F, 0.375F, 0}));
  EXPECT_EQ(*ops::median_positions(w, whole()), (std::vector<int32_t>{1, 3, 0, 0, 1}));
  // Of a span its own positions count.
  const Var near(Tensor::of<float>({5, 3}, {1, 0, 0, 0, 0.5F, 0.5F, 0, 0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(*ops::median_positions(near, narrow()), (std::vector<int32_t>{3, 1, 0, 2, 2}));
}

}  // namespace
}  // namespace lookback
