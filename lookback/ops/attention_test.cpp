#include "lookback/ops/attention.h"

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::Inputs;
using testing::random_param;
using testing::uneven;

struct Case {
  std::vector<int64_t> lengths;          // of the sentences
  std::vector<int32_t> sentence_of_row;  // sentence of each query
  int64_t width;
  std::vector<int32_t> begin = {}, end = {};  // positions that each query sees, if not all of its sentence
};

std::vector<Case> cases() {
  return {
      {{1}, {0}, 1},                                                               // one of everything
      {{5}, {0, 0}, 3},                                                            // one sentence, two queries
      {{1, 1}, {0, 1, 1}, 4},                                                      // T = 1
      {{4, 2, 3}, {0, 1, 2, 2, 0, 1}, 1},                                          // ragged, width 1
      {{3, 0, 2}, {0, 1, 2, 1}, 5},                                                // an empty sentence
      {{0, 0}, {0, 1}, 2},                                                         // nothing but empty sentences
      {{9, 17, 2}, {1, 0, 1, 2, 1, 0}, 18},                                        // wider than a vector of lanes
      {{3, 2}, {1}, 2},                                                            // a sentence nobody looks at
      {{4, 1, 3}, {0, 0, 1, 2, 0, 2}, 3, {0, 1, 0, 3, 1, 0}, {4, 3, 1, 3, 4, 1}},  // whole, windows, one position, none
      {{5}, {0, 0, 0, 0, 0}, 18, {0, 0, 0, 0, 0}, {1, 2, 3, 4, 5}},                // causal
      {{3, 2}, {0, 1}, 2, {1, 2}, {1, 2}},                                         // nothing but empty spans
  };
}

ops::Visible attention(const Case& c) {
  const ops::Visible whole{MemoryLayout(c.lengths), ops::row_ids(c.sentence_of_row)};
  if (c.begin.empty()) return whole;
  return {whole.memory, whole.sentence_of_row, ops::row_ids(c.begin), ops::row_ids(c.end)};
}

TEST(Attention, ScoreDot) {
  for (const Case& c : cases()) {
    const auto visible = attention(c);
    check_op({random_param({visible.N(), c.width}, 1), random_param({visible.memory.rows(), c.width}, 2)},
             [&](const Inputs& in) { return uneven(ops::score_dot(in[0], in[1], visible)); });
    check_op({random_param({visible.N(), c.width}, 1), random_param({visible.memory.rows(), c.width}, 2)},
             [&](const Inputs& in) { return uneven(ops::score_dot(in[0], in[1], visible, 0.25)); });
  }
}

TEST(Attention, ScoreAdditive) {
  for (const Case& c : cases()) {
    const auto visible = attention(c);
    check_op({random_param({visible.N(), c.width}, 1), random_param({visible.memory.rows(), c.width}, 2),
              random_param({c.width}, 3)},
             [&](const Inputs& in) { return uneven(ops::score_additive(in[0], in[1], in[2], visible)); });
  }
}

TEST(Attention, ScoreAdditiveWithFeatures) {
  for (const Case& c : cases())
    for (const int64_t F : {1, 3}) {
      const auto visible = attention(c);
      check_op(
          {random_param({visible.N(), c.width}, 1), random_param({visible.memory.rows(), c.width}, 2),
           random_param({c.width}, 3), random_param({visible.N(), visible.T() * F}, 4), random_param({c.width, F}, 5)},
          [&](const Inputs& in) {
            return uneven(ops::score_additive(in[0], in[1], in[2], visible, {in[3], in[4]}));
          });
    }
}

// A feature of weight zero changes nothing, to the bit.
TEST(Attention, FeaturesWithoutWeightChangeNothing) {
  const Case c{{9, 4, 6}, {0, 1, 2, 2, 0}, 19};
  const auto visible = attention(c);
  const Inputs in = testing::as_f32({random_param({5, 19}, 1), random_param({19, 19}, 2), random_param({19}, 3),
                                     random_param({5, 18}, 4), Var::parameter(Tensor::zeros({19, 2}, Dtype::f64))});
  const Tensor with = ops::score_additive(in[0], in[1], in[2], visible, {in[3], in[4]}).value(),
               without = ops::score_additive(in[0], in[1], in[2], visible).value();
  for (int64_t k = 0; k < with.size(); ++k) EXPECT_NEAR(with.data<float>()[k], without.data<float>()[k], 1e-6F) << k;
}

TEST(Attention, ConvolveWeights) {
  for (const Case& c : cases())
    for (const int64_t width : {1, 2, 5}) {
      const auto visible = attention(c);
      check_op({random_param({visible.N(), visible.T()}, 1), random_param({3, width}, 2)},
               [&](const Inputs& in) { return uneven(ops::convolve_weights(in[0], in[1], visible)); });
    }
}

// A filter with a single one moves the weights; what comes from outside of the sentence is zero.
TEST(Attention, AFilterWithOneOneMovesTheWeights) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{3, 2}), ops::row_ids({0, 1})};
  const Var weights(Tensor::of<float>({2, 3}, {0.5F, 0.25F, 0.125F, 0.75F, 0.0625F, 9}));
  const Var filters(Tensor::of<float>({2, 3}, {1, 0, 0, 0, 0, 1}));  // the position before, and the one after
  const Tensor got = ops::convolve_weights(weights, filters, visible).value();
  const std::vector<float> want = {0, 0.25F, 0.5F, 0.125F, 0.25F, 0, 0, 0.0625F, 0.75F, 0, 0, 0};
  EXPECT_TRUE(std::equal(want.begin(), want.end(), got.data<float>()));
}

TEST(Attention, CoverageLoss) {
  check_op({random_param({3, 5}, 1), random_param({3, 5}, 2)},
           [](const Inputs& in) { return ops::coverage_loss(in[0], in[1]); });
  const Var w(Tensor::of<float>({1, 2}, {0.5F, 0.25F})), c(Tensor::of<float>({1, 2}, {0.125F, 1}));
  EXPECT_EQ(ops::coverage_loss(w, c).value().data<float>()[0], 0.375F);
}

TEST(Attention, AttendThroughContextWeightsAndBoth) {
  for (const Case& c : cases()) {
    const auto visible = attention(c);
    const Inputs in = {random_param({visible.N(), visible.T()}, 1), random_param({visible.memory.rows(), c.width}, 2)};
    check_op(in, [&](const Inputs& x) { return uneven(ops::attend(x[0], x[1], visible).context); });
    check_op(in, [&](const Inputs& x) { return uneven(ops::attend(x[0], x[1], visible).weights); });
    check_op(in, [&](const Inputs& x) {
      const auto out = ops::attend(x[0], x[1], visible);
      return ops::add(uneven(out.context, 1), uneven(out.weights, 2));
    });
  }
}

TEST(Attention, WeighIsTheContextOfWeightsThatAreGiven) {
  for (const Case& c : cases()) {
    const auto visible = attention(c);
    const Inputs in = {random_param({visible.N(), visible.T()}, 1), random_param({visible.memory.rows(), c.width}, 2)};
    check_op(in, [&](const Inputs& x) { return uneven(ops::weigh(x[0], x[1], visible)); });
    const auto attended = ops::attend(in[0], in[1], visible);
    EXPECT_TRUE(testing::same_bits(ops::weigh(attended.weights, in[1], visible).value(), attended.context.value()));
  }
  const auto visible = attention({{4, 2}, {0, 1}, 3});
  EXPECT_THROW(ops::weigh(random_param({2, 3}, 1), random_param({6, 3}, 2), visible), ShapeError);
  EXPECT_THROW(ops::weigh(random_param({2, 4}, 1), random_param({5, 3}, 2), visible), ShapeError);
}

TEST(Attention, ValuesThatAreAlsoKeys) {
  const auto visible = attention({{4, 0, 2}, {0, 1, 2, 2}, 3});
  check_op({random_param({4, 3}, 1), random_param({6, 3}, 2)}, [&](const Inputs& in) {
    return uneven(ops::attend(ops::score_dot(in[0], in[1], visible), in[1], visible).context);
  });
}

TEST(Attention, WeightsAreADistributionOverTheOwnSentence) {
  const Case c{{4, 0, 2}, {2, 1, 0}, 3};
  const auto visible = attention(c);
  for (const Dtype d : {Dtype::f32, Dtype::f64}) {
    const Var energies(testing::random_tensor({3, 4}, 1).to(d)), values(testing::random_tensor({6, 3}, 2).to(d));
    const auto out = ops::attend(energies, values, visible);
    const Tensor w = out.weights.value().to(Dtype::f64), context = out.context.value().to(Dtype::f64);
    for (int64_t n = 0; n < 3; ++n) {
      const int64_t length = c.lengths[static_cast<size_t>(c.sentence_of_row[static_cast<size_t>(n)])];
      double sum = 0;
      for (int64_t t = 0; t < 4; ++t) {
        const double x = w.data<double>()[n * 4 + t];
        sum += x;
        EXPECT_TRUE(t < length || x == 0) << n << ' ' << t;
      }
      EXPECT_NEAR(sum, length ? 1 : 0, 1e-6);
    }
    for (int64_t k = 0; k < 3; ++k) EXPECT_EQ(context.data<double>()[3 + k], 0) << "the empty sentence";
  }
}

TEST(Attention, LargeEnergiesDoNotOverflow) {
  const auto visible = attention({{3}, {0}, 1});
  const Var energies = Var::parameter(Tensor::of<float>({1, 3}, {3e38F, 1, -3e38F}));
  const auto out = ops::attend(energies, Var(Tensor::of<float>({3, 1}, {5, 6, 7})), visible);
  EXPECT_EQ(out.context.value().data<float>()[0], 5);
  backward(uneven(out.context));
  for (const float g : energies.grad().span<float>()) EXPECT_EQ(g, 0);
}

TEST(Attention, ARowDoesNotDependOnItsCompany) {
  const Case c{{9, 4, 6}, {0, 1, 2, 2, 0}, 19};
  const auto visible = attention(c);
  const Var query(testing::random_tensor({5, 19}, 1).to(Dtype::f32)), v(testing::random_tensor({19}, 3).to(Dtype::f32));
  const Var keys(testing::random_tensor({19, 19}, 2).to(Dtype::f32));
  const auto run = [&](const Var& q, const Var& k, const ops::Visible& a, bool additive) {
    return ops::attend(additive ? ops::score_additive(q, k, v, a) : ops::score_dot(q, k, a), k, a);
  };
  for (const bool additive : {false, true}) {
    const auto all = run(query, keys, visible, additive);
    for (int64_t n = 0; n < 5; ++n) {
      const int64_t s = c.sentence_of_row[static_cast<size_t>(n)], begin = visible.memory.begin(s),
                    length = visible.memory.length(s);
      const ops::Visible one{MemoryLayout(std::vector<int64_t>{length}), ops::row_ids({0})};
      const auto alone =
          run(ops::slice_rows(query, n, n + 1), ops::slice_rows(keys, begin, begin + length), one, additive);
      EXPECT_TRUE(testing::same_bits(alone.context.value(), all.context.value().rows(n, n + 1))) << n;
      EXPECT_TRUE(std::equal(alone.weights.value().data<float>(), alone.weights.value().data<float>() + length,
                             all.weights.value().data<float>() + n * 9));
    }
  }
}

TEST(Attention, WhatDoesNotFitIsRefused) {
  const auto visible = attention({{3, 2}, {0, 1}, 4});
  const Var q = random_param({2, 4}, 1), k = random_param({5, 4}, 2), v = random_param({4}, 3);
  EXPECT_THROW(ops::score_dot(random_param({3, 4}, 1), k, visible), ShapeError);
  EXPECT_THROW(ops::score_dot(q, random_param({4, 4}, 1), visible), ShapeError);
  EXPECT_THROW(ops::score_additive(q, k, random_param({3}, 1), visible), ShapeError);
  EXPECT_THROW(ops::score_additive(q, k, v, visible, {random_param({2, 5}, 1), random_param({4, 2}, 1)}), ShapeError);
  EXPECT_THROW(ops::score_additive(q, k, v, visible, {random_param({2, 6}, 1), random_param({3, 2}, 1)}), ShapeError);
  EXPECT_THROW(ops::convolve_weights(random_param({2, 2}, 1), random_param({1, 3}, 1), visible), ShapeError);
  EXPECT_THROW(ops::coverage_loss(random_param({2, 2}, 1), random_param({2, 3}, 1)), ShapeError);
  EXPECT_THROW(ops::attend(random_param({2, 2}, 1), k, visible), ShapeError);
  EXPECT_THROW(ops::score_dot(q, k, {visible.memory, ops::row_ids({0, 2})}), ShapeError);
  EXPECT_THROW(ops::score_dot(q, k, {visible.memory, ops::row_ids({0, -1})}), ShapeError);
}

}  // namespace
}  // namespace lookback
