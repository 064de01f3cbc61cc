#include "lookback/ops/pooling.h"

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::Inputs;
using testing::random_param;

const MemoryLayout kMemory(std::vector<int64_t>{3, 0, 1, 4});

TEST(MaxRows, TheLargestOfEachColumnAndItsGradient) {
  const Var x = Var::parameter(Tensor::of<float>({3, 2}, {1, 5, 7, 5, 7, -1}));
  const MemoryLayout memory(std::vector<int64_t>{3, 0});
  const Var y = ops::max_rows(x, memory);
  EXPECT_TRUE(testing::same_bits(y.value(), Tensor::of<float>({2, 2}, {7, 5, 0, 0})));
  backward(ops::weighted_sum(y, Tensor::of<float>({2, 2}, {2, 3, 4, 5})));
  EXPECT_TRUE(testing::same_bits(x.grad(), Tensor::of<float>({3, 2}, {0, 3, 2, 0, 0, 0})));
  EXPECT_THROW(ops::max_rows(x, kMemory), ShapeError);
}

TEST(MaxRows, Gradients) {
  check_op({random_param({8, 3}, 1)}, [](const Inputs& in) { return testing::uneven(ops::max_rows(in[0], kMemory)); });
}

TEST(HopsPenalty, IsZeroForHopsThatLookAtOnePlaceEach) {
  const MemoryLayout memory(std::vector<int64_t>{2, 0});
  const Var apart(Tensor::of<float>({4, 2}, {1, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(ops::hops_penalty(apart, 2, memory).value().data<float>()[0], 0);
  // Both hops at one place: off the diagonal stands 1, twice.
  const Var alike(Tensor::of<float>({4, 2}, {1, 0, 1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(ops::hops_penalty(alike, 2, memory).value().data<float>()[0], 2);
  EXPECT_THROW(ops::hops_penalty(alike, 3, memory), ShapeError);
}

TEST(HopsPenalty, Gradients) {
  check_op({random_param({12, 4}, 1)},
           [](const Inputs& in) { return testing::uneven(ops::hops_penalty(in[0], 3, kMemory)); });
}

}  // namespace
}  // namespace lookback
