#include "lookback/ops/int8_rows.h"

#include "lookback/kernels/kernels.h"
#include "lookback/ops/linear.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::random_tensor;

Tensor numbers(const Shape& shape, uint64_t seed) { return random_tensor(shape, seed).to(Dtype::f32); }

// A parameter, and the same kept as int8 rows.
struct Both {
  Var floats, rows;
  explicit Both(const Tensor& x) : floats(Var::parameter(x)), rows(Var::parameter(Tensor::zeros(x.shape()))) {
    const ops::Int8Rows q = ops::to_int8_rows(x);
    rows.set_int8_rows(q.rows, q.scales);
  }
};

std::vector<float> values(const Var& x) {
  const auto all = x.value().span<float>();
  return {all.begin(), all.end()};
}

TEST(Int8Rows, AProductInInt8IsThatOfTheFloatsToTheBit) {
  const NoGrad off;
  const PrecisionScope scope(Precision::int8);
  const Both w(numbers({9, 30}, 1));
  const Var x(numbers({4, 30}, 2)), part(numbers({4, 12}, 3)), bias(numbers({9}, 4));
  EXPECT_EQ(values(ops::linear(x, w.rows, {.bias = bias})), values(ops::linear(x, w.floats, {.bias = bias})));
  for (const int64_t first : {0, 7, 18})
    EXPECT_EQ(values(ops::linear(part, w.rows, {.columns = {{first, first + 12}}})),
              values(ops::linear(part, w.floats, {.columns = {{first, first + 12}}})))
        << first;
}

TEST(Int8Rows, OtherPrecisionsMultiplyWhatTheRowsMean) {
  const NoGrad off;
  const Both w(numbers({9, 30}, 1));
  const Var meant(ops::to_floats({w.rows.value(), w.rows.row_scales()})), x(numbers({4, 12}, 2));
  for (const Precision p : {Precision::f32, Precision::bf16}) {
    const PrecisionScope scope(p);
    EXPECT_EQ(values(ops::linear(x, w.rows, {.columns = {{7, 19}}})),
              values(ops::linear(x, meant, {.columns = {{7, 19}}})));
  }
  EXPECT_LT(testing::distance(meant.value(), w.floats.value()), 0.5 / 127);
}

TEST(Int8Rows, RowsOfATableMeetInt8ProductsAsTheFloatsWould) {
  const NoGrad off;
  const Both table(numbers({20, 16}, 5)), w(numbers({6, 16}, 6));
  const auto ids = ops::row_ids({3, 19, -1, 0, 3});
  const Var looked_up = ops::gather_rows(table.rows, ids);
  EXPECT_EQ(values(ops::gather_rows(Var(ops::to_floats({table.rows.value(), table.rows.row_scales()})), ids)),
            values(looked_up));
  const PrecisionScope scope(Precision::int8);
  EXPECT_EQ(values(ops::linear(looked_up, w.rows)), values(ops::linear(ops::gather_rows(table.floats, ids), w.floats)));
}

TEST(Int8Rows, NothingElseIsDoneWithThem) {
  const Both w(numbers({9, 4}, 1));
  EXPECT_FALSE(w.rows.needs_grad());
  EXPECT_THROW(ops::add(w.rows, w.rows), ShapeError);
  EXPECT_THROW(ops::linear(w.rows, w.floats), ShapeError);
  EXPECT_THROW(w.floats.set_int8_rows(w.rows.value(), numbers({8}, 1)), ShapeError);
  EXPECT_THROW(w.floats.set_int8_rows(numbers({9, 4}, 1), w.rows.row_scales()), ShapeError);
}

}  // namespace
}  // namespace lookback
