#include "lookback/ops/top_k.h"

#include "lookback/base/precision.h"
#include "lookback/ops/linear.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::random_tensor;

Var numbers(const Shape& shape, uint64_t seed) { return Var(random_tensor(shape, seed).to(Dtype::f32)); }

TEST(TopK, GivesWhatLinearGives) {
  const NoGrad off;
  Var w = Var::parameter(numbers({2000, 48}, 1).value());
  const Var x = numbers({3, 48}, 2), bias = numbers({2000}, 3);
  auto few = ops::top_k(x, w, bias, 4);
  if (!few) GTEST_SKIP() << "not on this processor";
  for (int round = 0; round < 2; ++round) {
    const Tensor all = ops::linear(x, w, {.bias = bias}).value();
    for (int64_t n = 0; n < 3; ++n) {
      const auto& columns = few->columns.at(static_cast<size_t>(n));
      const float *const row = all.data<float>() + n * 2000, *got = few->values.data<float>() + n * few->values.dim(1);
      ASSERT_GE(columns.size(), 4U);
      EXPECT_EQ(columns[static_cast<size_t>(std::max_element(got, got + columns.size()) - got)],
                std::max_element(row, row + 2000) - row);
      for (const int32_t c : columns) EXPECT_EQ(*got++, row[c]);
      for (; got < few->values.data<float>() + (n + 1) * few->values.dim(1); ++got)
        EXPECT_EQ(*got, -std::numeric_limits<float>::infinity());
    }
    // What is kept with the weight follows it.
    w.set_value(numbers({2000, 48}, 7).value());
    few = ops::top_k(x, w, bias, 4);
    ASSERT_TRUE(few);
  }
}

TEST(TopK, IsOfF32Alone) {
  const NoGrad off;
  const Var w = Var::parameter(numbers({2000, 48}, 1).value()), x = numbers({1, 48}, 2);
  for (const Precision p : {Precision::bf16, Precision::int8}) {
    const PrecisionScope scope(p);
    EXPECT_FALSE(ops::top_k(x, w, {}, 1));
  }
  EXPECT_FALSE(ops::top_k(x, Var(numbers({20, 48}, 1).value()), {}, 1));
}

TEST(TopK, RefusesWhatDoesNotFit) {
  const Var w = numbers({2000, 48}, 1), x = numbers({1, 48}, 2);
  EXPECT_THROW(ops::top_k(numbers({1, 47}, 2), w, {}, 1), ShapeError);
  EXPECT_THROW(ops::top_k(x, w, numbers({1999}, 2), 1), ShapeError);
  EXPECT_THROW(ops::top_k(x, w, {}, 0), ShapeError);
}

}  // namespace
}  // namespace lookback
