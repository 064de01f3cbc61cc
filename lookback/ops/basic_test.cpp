#include "lookback/ops/basic.h"

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::distance;
using testing::gradients_of;
using testing::Inputs;
using testing::random_param;
using testing::random_tensor;
using testing::uneven;

const Shape kShapes[] = {{1, 1}, {1, 6}, {5, 1}, {7, 20}};

TEST(Basic, AddMulScale) {
  for (const Shape& s : kShapes) {
    check_op({random_param(s, 1), random_param(s, 2)}, [](const Inputs& in) { return uneven(ops::add(in[0], in[1])); });
    check_op({random_param(s, 1), random_param(s, 2)}, [](const Inputs& in) { return uneven(ops::mul(in[0], in[1])); });
    check_op({random_param(s, 1)}, [](const Inputs& in) { return uneven(ops::scale(in[0], -2.5)); });
  }
}

TEST(Basic, AnInputUsedTwiceGetsBothGradients) {
  const Inputs in = {random_param({3, 4}, 1)};
  check_op(in, [](const Inputs& x) { return uneven(ops::add(x[0], x[0])); });
  check_op(in, [](const Inputs& x) { return uneven(ops::mul(x[0], x[0])); });
  check_op(in, [](const Inputs& x) { return uneven(ops::concat_rows({x[0], x[0]})); });
  check_op(in, [](const Inputs& x) { return uneven(ops::concat_columns({x[0], ops::tanh(x[0]), x[0]})); });
}

TEST(Basic, TanhSigmoidReluElu) {
  for (const Shape& s : kShapes)
    for (const auto op : {&ops::tanh, &ops::sigmoid, &ops::relu, &ops::elu})
      check_op({random_param(s, 3)}, [op](const Inputs& in) { return uneven(op(in[0])); });
}

TEST(Basic, KnownValues) {
  const Var x(Tensor::of<float>({1, 4}, {-2, 0, 0.5, 3}));
  EXPECT_NEAR(ops::tanh(x).value().data<float>()[2], 0.46211716, 1e-6);
  EXPECT_NEAR(ops::sigmoid(x).value().data<float>()[0], 0.11920292, 1e-6);
  EXPECT_EQ(ops::relu(x).value().data<float>()[0], 0);
  EXPECT_EQ(ops::relu(x).value().data<float>()[3], 3);
  EXPECT_NEAR(ops::elu(x).value().data<float>()[0], -0.86466472, 1e-6);
  EXPECT_EQ(ops::elu(x).value().data<float>()[3], 3);
  // x, then its gates
  EXPECT_NEAR(ops::glu(x).value().data<float>()[0], -2 * 0.62245933, 1e-6);
  EXPECT_EQ(ops::glu(x).value().data<float>()[1], 0);
  EXPECT_EQ(ops::maxout(x).value().data<float>()[0], 0);
  EXPECT_EQ(ops::maxout(x).value().data<float>()[1], 3);
}

TEST(Basic, Maxout) {
  for (const Shape& s : {Shape{1, 2}, Shape{4, 10}})
    check_op({random_param(s, 4)}, [](const Inputs& in) { return uneven(ops::maxout(in[0])); });
  EXPECT_THROW(ops::maxout(random_param({2, 3}, 1)), ShapeError);
}

TEST(Basic, Glu) {
  for (const Shape& s : {Shape{1, 2}, Shape{7, 40}}) {
    check_op({random_param(s, 4)}, [](const Inputs& in) { return uneven(ops::glu(in[0])); });
    // The addend, and x, used elsewhere too.
    check_op({random_param(s, 4), random_param({s[0], s[1] / 2}, 5)}, [](const Inputs& in) {
      const Var y = ops::glu(in[0], in[1]);
      return uneven(ops::add(ops::mul(y, in[1]), ops::maxout(in[0])));
    });
  }
  EXPECT_THROW(ops::glu(random_param({2, 3}, 1)), ShapeError);
  EXPECT_THROW(ops::glu(random_param({2, 4}, 1), random_param({2, 4}, 1)), ShapeError);
}

TEST(Basic, LayerNorm) {
  for (const Shape& s : {Shape{1, 5}, Shape{6, 2}, Shape{4, 33}})
    check_op(
        {random_param(s, 5), random_param({s[1]}, 6), random_param({s[1]}, 7)},
        [](const Inputs& in) { return uneven(ops::layer_norm(in[0], in[1], in[2])); }, 1e-4);
  EXPECT_THROW(ops::layer_norm(random_param({2, 3}, 1), random_param({2}, 1), random_param({3}, 1)), ShapeError);
}

TEST(Basic, LayerNormOfOneColumnIsBeta) {
  const Var y = ops::layer_norm(random_param({3, 1}, 1), random_param({1}, 2), Var(Tensor::full({1}, 0.5, Dtype::f64)));
  for (const double v : y.value().span<double>()) EXPECT_DOUBLE_EQ(v, 0.5);
}

TEST(Basic, DropoutGradientIsItsMask) {
  const Stream stream{3, 4};
  check_op({random_param({6, 9}, 8)}, [&](const Inputs& in) { return uneven(ops::dropout(in[0], 0.4, stream)); });
  const auto rows = ops::row_ids({0, 1, 2, 0, 1, 0});
  check_op({random_param({6, 9}, 8)}, [&](const Inputs& in) { return uneven(ops::dropout(in[0], 0.4, stream, rows)); });
}

TEST(Basic, DropoutKeepsTheMeanAndTheShare) {
  const Var ones(Tensor::full({200, 100}, 1));
  const Tensor y = ops::dropout(ones, 0.3, {1, 2}).value();
  int64_t kept = 0;
  for (const float v : y.span<float>()) {
    if (v == 0) continue;
    EXPECT_FLOAT_EQ(v, 1 / 0.7F);
    ++kept;
  }
  EXPECT_NEAR(static_cast<double>(kept) / 20000, 0.7, 0.015);
}

TEST(Basic, DropoutIsAFunctionOfItsStream) {
  const Var x(Tensor::full({8, 8}, 1));
  EXPECT_TRUE(testing::same_bits(ops::dropout(x, 0.5, {1, 2}).value(), ops::dropout(x, 0.5, {1, 2}).value()));
  EXPECT_FALSE(testing::same_bits(ops::dropout(x, 0.5, {1, 2}).value(), ops::dropout(x, 0.5, {1, 3}).value()));
  EXPECT_FALSE(testing::same_bits(ops::dropout(x, 0.5, {1, 2}).value(), ops::dropout(x, 0.5, {2, 2}).value()));
}

TEST(Basic, DropoutWithMaskRowsRepeatsTheMaskOfThatRow) {
  const Var x(Tensor::full({5, 30}, 1));
  const Tensor plain = ops::dropout(x, 0.5, {9, 1}).value();
  const Tensor y = ops::dropout(x, 0.5, {9, 1}, ops::row_ids({0, 1, 2, 1, 0})).value();
  for (const auto& [row, mask] : {std::pair{0, 0}, {1, 1}, {2, 2}, {3, 1}, {4, 0}})
    EXPECT_TRUE(testing::same_bits(y.rows(row, row + 1), plain.rows(mask, mask + 1))) << row;
  EXPECT_THROW(ops::dropout(x, 0.5, {9, 1}, ops::row_ids({0})), ShapeError);
  EXPECT_THROW(ops::dropout(x, 1, {9, 1}), ShapeError);
}

TEST(Basic, GatherRows) {
  const auto ids = ops::row_ids({2, 0, -1, 2, 2});
  check_op({random_param({3, 4}, 9)}, [&](const Inputs& in) { return uneven(ops::gather_rows(in[0], ids)); });
  check_op({random_param({3, 1}, 9)}, [&](const Inputs& in) { return uneven(ops::gather_rows(in[0], ids)); });
  const Var none = ops::gather_rows(random_param({3, 4}, 9), ops::row_ids({}));
  EXPECT_EQ(none.shape(), (Shape{0, 4}));
  EXPECT_THROW(ops::gather_rows(random_param({3, 4}, 9), ops::row_ids({3})), ShapeError);
}

TEST(Basic, TheGradientOfATableIsThatOfItsRowsUntilMoreIsAdded) {
  const auto some = ops::row_ids({5, 0, -1, 5, 2}), others = ops::row_ids({3, 2, 6});
  const auto once = [&](const Inputs& in) { return uneven(ops::gather_rows(in[0], some)); };
  const auto twice = [&](const Inputs& in) { return ops::add(once(in), uneven(ops::gather_rows(in[0], others), 5)); };
  const Inputs in = {random_param({7, 3}, 9)};
  backward(twice(in));
  ASSERT_NE(in[0].row_grad(), nullptr);
  EXPECT_EQ(in[0].row_grad()->ids, (std::vector<int32_t>{0, 2, 3, 5, 6}));
  check_op(in, twice);
  // Used as a whole too, before and after.
  check_op(in, [&](const Inputs& x) { return ops::add(uneven(ops::tanh(x[0]), 5), once(x)); });
  check_op(in, [&](const Inputs& x) { return ops::add(once(x), uneven(ops::tanh(x[0]), 5)); });
  // Over several passes.
  const auto a = gradients_of(in, once)[0], b = gradients_of(in, twice)[0];
  in[0].clear_grad();
  backward(once(in)), backward(twice(in));
  EXPECT_EQ(in[0].row_grad(), nullptr);
  EXPECT_LT(distance(in[0].grad(), ops::add(Var(a), Var(b)).value()), 1e-15);
}

TEST(Basic, SliceAndConcatenateRows) {
  check_op({random_param({6, 3}, 1)}, [](const Inputs& in) { return uneven(ops::slice_rows(in[0], 1, 4)); });
  check_op({random_param({6, 3}, 1)}, [](const Inputs& in) {
    return ops::add(uneven(ops::slice_rows(in[0], 0, 4), 5), uneven(ops::slice_rows(in[0], 2, 6), 6));
  });
  check_op({random_param({2, 3}, 1), random_param({1, 3}, 2), random_param({0, 3}, 3), random_param({4, 3}, 4)},
           [](const Inputs& in) { return uneven(ops::concat_rows(in)); });
  EXPECT_THROW(ops::concat_rows({random_param({2, 3}, 1), random_param({2, 4}, 1)}), ShapeError);
  check_op({random_param({2}, 1), random_param({3}, 2)}, [](const Inputs& in) { return uneven(ops::concat_rows(in)); });
  EXPECT_THROW(ops::concat_rows({random_param({2}, 1), random_param({2, 1}, 1)}), ShapeError);
  EXPECT_THROW(ops::concat_rows({}), ShapeError);
}

TEST(Basic, ConcatenatedRowsDoNotShareGradients) {
  // Parts get rows of one block as their gradients; what one of them collects later must not reach the other.
  check_op({random_param({2, 2}, 1), random_param({2, 2}, 2)}, [](const Inputs& in) {
    const Var both = ops::concat_rows({in[0], in[1]});
    return ops::add(uneven(both), ops::add(uneven(ops::tanh(in[0]), 5), uneven(ops::mul(in[0], in[1]), 6)));
  });
}

TEST(Basic, ConcatenateColumns) {
  check_op({random_param({3, 2}, 1), random_param({3, 1}, 2), random_param({3, 5}, 3)},
           [](const Inputs& in) { return uneven(ops::concat_columns(in)); });
  const auto ids = ops::row_ids({1, 0, 1});
  check_op({random_param({2, 3}, 1), random_param({2, 1}, 2)},
           [&](const Inputs& in) { return uneven(ops::concat_columns(in, ids)); });
  check_op({random_param({2, 3}, 1), random_param({2, 1}, 2)}, [](const Inputs& in) {  // every row once
    return uneven(ops::concat_columns({in[0], in[1], in[0]}, ops::row_ids({1, 0})));
  });
  const Var a = random_param({2, 3}, 1), b = random_param({2, 1}, 2);
  EXPECT_EQ(
      distance(ops::concat_columns({a, b}, ids).value(), ops::gather_rows(ops::concat_columns({a, b}), ids).value()),
      0);
  EXPECT_THROW(ops::concat_columns({a}, ops::row_ids({2})), ShapeError);
  EXPECT_THROW(ops::concat_columns({a}, ops::row_ids({-1})), ShapeError);
  EXPECT_THROW(ops::concat_columns({random_param({2, 3}, 1), random_param({3, 3}, 1)}), ShapeError);
}

TEST(Basic, WeightedSum) {
  const Tensor weights = random_tensor({3, 4}, 1);
  check_op({random_param({3, 4}, 2)},
           [&](const Inputs& in) { return ops::weighted_sum(in[0], weights.to(in[0].dtype())); });
  EXPECT_THROW(ops::weighted_sum(random_param({4, 3}, 2), weights), ShapeError);
}

TEST(Basic, ShapesThatDifferAreRefused) {
  EXPECT_THROW(ops::add(random_param({2, 3}, 1), random_param({3, 2}, 1)), ShapeError);
  EXPECT_THROW(ops::mul(random_param({2, 3}, 1), Var(Tensor::zeros({2, 3}))), ShapeError);
}

}  // namespace
}  // namespace lookback
