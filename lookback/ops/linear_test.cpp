#include "lookback/ops/linear.h"

#include <cstring>

#include "lookback/base/precision.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::gradients_of;
using testing::Inputs;
using testing::random_param;
using testing::uneven;

struct Dims {
  int64_t N, I, O;
};
const Dims kDims[] = {{1, 1, 1}, {1, 7, 3}, {5, 1, 4}, {4, 6, 1}, {9, 17, 13}};

TEST(Linear, Alone) {
  for (const auto& [N, I, O] : kDims)
    check_op({random_param({N, I}, 1), random_param({O, I}, 2)},
             [](const Inputs& in) { return uneven(ops::linear(in[0], in[1])); });
}

TEST(Linear, WithBias) {
  for (const auto& [N, I, O] : kDims)
    check_op({random_param({N, I}, 1), random_param({O, I}, 2), random_param({O}, 3)},
             [](const Inputs& in) { return uneven(ops::linear(in[0], in[1], {.bias = in[2]})); });
}

TEST(Linear, OntoWithAndWithoutBias) {
  for (const auto& [N, I, O] : kDims) {
    const Inputs inputs = {random_param({N, I}, 1), random_param({O, I}, 2), random_param({N, O}, 3),
                           random_param({O}, 4)};
    check_op(inputs, [](const Inputs& in) { return uneven(ops::linear(in[0], in[1], {.addend = in[2]})); });
    check_op(inputs,
             [](const Inputs& in) { return uneven(ops::linear(in[0], in[1], {.bias = in[3], .addend = in[2]})); });
  }
}

TEST(Linear, OntoItsOwnInput) {
  check_op({random_param({3, 4}, 1), random_param({4, 4}, 2)},
           [](const Inputs& in) { return uneven(ops::linear(in[0], in[1], {.addend = in[0]})); });
}

TEST(Linear, Columns) {
  // One weight over [a; b; c], applied to its parts.
  const Inputs inputs = {random_param({4, 2}, 1), random_param({4, 3}, 2), random_param({4, 1}, 3),
                         random_param({5, 6}, 4)};
  const testing::Loss parts = [](const Inputs& in) {
    const Var y = ops::linear(in[0], in[3], {.columns = {{0, 2}}});
    const Var z = ops::linear(in[1], in[3], {.addend = y, .columns = {{2, 5}}});
    return uneven(ops::linear(in[2], in[3], {.addend = z, .columns = {{5, 6}}}));
  };
  const testing::Loss whole = [](const Inputs& in) {
    return uneven(ops::linear(ops::concat_columns({in[0], in[1], in[2]}), in[3]));
  };
  check_op(inputs, parts);
  const auto a = gradients_of(inputs, parts), b = gradients_of(inputs, whole);
  for (size_t k = 0; k < a.size(); ++k) EXPECT_LT(testing::distance(a[k], b[k]), 1e-14);
}

TEST(Linear, SomeColumnsLeaveTheOthersWithoutGradient) {
  const Var w = random_param({3, 5}, 1);
  backward(uneven(ops::linear(random_param({2, 2}, 2), w, {.columns = {{1, 3}}})));
  for (int64_t o = 0; o < 3; ++o)
    for (const int64_t column : {0, 3, 4}) EXPECT_EQ(w.grad().data<double>()[o * 5 + column], 0);
  EXPECT_NE(w.grad().data<double>()[1], 0);
}

TEST(LinearSum, IsTheBitsOfItsTermsOneByOne) {
  const auto numbers = [](const Shape& shape, uint64_t seed) {
    return Var(testing::random_tensor(shape, seed).to(Dtype::f32));
  };
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8})
    for (const int64_t N : {1, 5, 70}) {
      const PrecisionScope scope(precision);
      const NoGrad off;
      const Var w = numbers({130, 300}, 1), u = numbers({130, 600}, 2), bias = numbers({130}, 3);
      const Var x = numbers({N, 300}, 4), y = numbers({N, 600}, 5), addend = numbers({N, 130}, 6);
      const Var left = ops::slice_rows(numbers({N, 100}, 7), 0, N);
      const std::vector<ops::LinearTerm> terms{{x, w, bias}, {left, w, {}, {{100, 200}}}, {y, u, bias}};
      for (const Var& before : {Var(), addend}) {
        Var want = before;
        for (const ops::LinearTerm& t : terms)
          want = ops::linear(t.x, t.w, {.bias = t.bias, .addend = want, .columns = t.columns});
        const Var got = ops::linear_sum(terms, before);
        EXPECT_EQ(std::memcmp(got.value().bytes(), want.value().bytes(), static_cast<size_t>(want.value().byte_size())),
                  0)
            << "precision " << static_cast<int>(precision) << ", " << N << " rows" << (before ? ", addend" : "");
      }
    }
}

TEST(LinearSum, Gradients) {
  check_op({random_param({3, 4}, 1), random_param({5, 4}, 2), random_param({3, 2}, 3), random_param({5, 3}, 4),
            random_param({5}, 5), random_param({3, 5}, 6)},
           [](const Inputs& in) {
             const std::vector<ops::LinearTerm> terms{
                 {in[0], in[1], in[4]}, {in[2], in[3], {}, {{1, 3}}}, {in[2], in[3], in[4], {{0, 2}}}};
             return uneven(ops::add(ops::linear_sum(terms, in[5]), ops::linear_sum(terms)));
           });
}

TEST(LinearSum, RefusesTermsThatDoNotFit) {
  const Var x = random_param({3, 4}, 1), w = random_param({5, 4}, 2);
  const auto refused = [](const std::vector<ops::LinearTerm>& terms, const Var& addend = {}) {
    EXPECT_THROW(ops::linear_sum(terms, addend), ShapeError);
  };
  refused({});
  refused({{x, w}, {random_param({2, 4}, 3), w}});
  refused({{x, w}, {x, random_param({6, 4}, 3)}});
  refused({{x, w}, {x, w, {}, {{1, 4}}}});
  refused({{x, w}}, random_param({3, 4}, 3));
}

TEST(Linear, OneWeightUsedManyTimes) {
  // As in a recurrence; whole and in columns at once, so that several products wait for one weight.
  check_op({random_param({3, 4}, 1), random_param({4, 4}, 2), random_param({4}, 3)}, [](const Inputs& in) {
    Var h = in[0];
    for (int t = 0; t < 4; ++t) {
      const Var half = ops::linear(ops::slice_rows(h, 0, 2), in[1], {.bias = in[2]});
      h = ops::tanh(ops::concat_rows({half, ops::linear(ops::slice_rows(h, 2, 3), in[1])}));
    }
    const Var left = ops::concat_columns({ops::linear(h, in[1]), h});
    const Var wide = ops::linear(ops::gather_rows(ops::slice_rows(left, 0, 3), ops::row_ids({0, 1, 2})),
                                 ops::concat_columns({in[1], in[1]}));
    return uneven(ops::add(wide, ops::linear(ops::linear(h, in[1]), in[1])));
  });
}

TEST(Linear, AWeightThatIsATableOfRowsToo) {
  // A tied embedding: the rows come on top of the products.
  const auto ids = ops::row_ids({3, 0, 3});
  check_op({random_param({5, 4}, 1)},
           [&](const Inputs& in) { return uneven(ops::linear(ops::gather_rows(in[0], ids), in[0])); });
}

TEST(Linear, ManyRows) {
  // Where weights in training are packed on the way of the product.
  const Inputs in = {random_param({600, 9}, 1), random_param({530, 9}, 2), random_param({530}, 3)};
  const auto loss = [](const Inputs& x) { return uneven(ops::linear(x[0], x[1], {.bias = x[2]})); };
  const Inputs fast = testing::as_f32(in);
  const auto want = gradients_of(in, loss), got = gradients_of(fast, loss);
  for (size_t k = 0; k < want.size(); ++k) EXPECT_LT(testing::distance(got[k], want[k]), 2e-5) << "input " << k;
  const NoGrad off;
  const Tensor packed = ops::linear(fast[0], fast[1], {.bias = fast[2]}).value();
  EXPECT_LT(testing::distance(packed, ops::linear(in[0], in[1], {.bias = in[2]}).value()), 2e-5);
}

TEST(Linear, AWeightThatIsComputed) {
  // As with weight drop: the products wait for a node that is no leaf.
  check_op({random_param({3, 4}, 1), random_param({2, 4}, 2)}, [](const Inputs& in) {
    const Var w = ops::dropout(in[1], 0.3, {1, 1});
    return uneven(ops::add(ops::linear(in[0], w), ops::linear(ops::tanh(in[0]), w)));
  });
}

TEST(Linear, AChangedWeightIsUsedChanged) {
  // The packed copy of a weight must not outlive its value.
  const Var x(Tensor::full({2, 8}, 1)), w = Var::parameter(Tensor::full({8, 8}, 1));
  EXPECT_EQ(ops::linear(x, w).value().data<float>()[0], 8);
  w.value().data<float>()[0] = 3;
  w.touch();
  EXPECT_EQ(ops::linear(x, w).value().data<float>()[0], 10);
  w.set_value(Tensor::full({8, 8}, 2));
  EXPECT_EQ(ops::linear(x, w).value().data<float>()[0], 16);
}

TEST(Linear, GradientsAddUpOverPasses) {
  const Var x = random_param({2, 3}, 1), w = random_param({4, 3}, 2), b = random_param({4}, 3);
  const auto once =
      gradients_of({x, w, b}, [](const Inputs& in) { return uneven(ops::linear(in[0], in[1], {.bias = in[2]})); });
  backward(uneven(ops::linear(x, w, {.bias = b})));
  size_t k = 0;
  for (const Var& in : {x, w, b}) {
    const Tensor twice = ops::scale(Var(once[k++]), 2).value();
    EXPECT_LT(testing::distance(in.grad(), twice), 1e-15);
  }
}

TEST(Linear, NoRows) {
  const Var w = random_param({4, 3}, 2), b = random_param({4}, 3);
  for (const Inputs& in : {Inputs{random_param({0, 3}, 1), w, b}, testing::as_f32({random_param({0, 3}, 1), w, b})}) {
    backward(uneven(ops::linear(in[0], in[1], {.bias = in[2]})));
    EXPECT_EQ(testing::distance(in[1].grad(), Tensor::zeros({4, 3})), 0);
  }
}

TEST(Linear, WhatDoesNotFitIsRefused) {
  const Var x = random_param({2, 3}, 1), w = random_param({4, 3}, 2);
  EXPECT_THROW(ops::linear(x, random_param({4, 2}, 1)), ShapeError);
  EXPECT_THROW(ops::linear(x, random_param({3}, 1)), ShapeError);
  EXPECT_THROW(ops::linear(x, w, {.bias = random_param({3}, 1)}), ShapeError);
  EXPECT_THROW(ops::linear(x, w, {.addend = random_param({2, 3}, 1)}), ShapeError);
  EXPECT_THROW(ops::linear(x, w, {.columns = {{1, 4}}}), ShapeError);
  EXPECT_THROW(ops::linear(x, w, {.columns = {{0, 2}}}), ShapeError);
}

}  // namespace
}  // namespace lookback
