// What rows see of their sentences: spans given by bounds, in every op of attention.
#include <cmath>
#include <limits>

#include "lookback/base/parallel.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using ops::row_ids;
using ops::Visible;
using testing::gradients_of;
using testing::Inputs;
using testing::random_param;
using testing::random_tensor;
using testing::same_bits;
using testing::uneven;
using Ids = std::vector<int32_t>;

constexpr int64_t kA = 19, kF = 2;  // wider than a vector of lanes

Visible causal(const std::vector<int64_t>& lengths) { return Visible::causal(MemoryLayout(lengths)); }

// Rows in mixed order with spans of every kind: whole, windows that overlap, one position, none.
Visible mixed() {
  return {MemoryLayout(std::vector<int64_t>{9, 4, 0, 17}), row_ids({3, 0, 1, 3, 2, 0, 3, 1, 0, 3}),
          row_ids({0, 2, 3, 5, 0, 4, 16, 0, 9, 6}), row_ids({17, 7, 4, 12, 0, 9, 17, 4, 9, 13})};
}

// Query, keys, v, filters and the weight of features.
Inputs inputs_of(int64_t N, int64_t S) {
  return {random_param({N, kA}, 1), random_param({S, kA}, 2), random_param({kA}, 3), random_param({kF, 5}, 4),
          random_param({kA, kF}, 5)};
}

// Two rounds of attention, the second led by the weights of the first: all the ops there are.
Var two_rounds(const Inputs& in, const Visible& visible) {
  const Var before = ops::attend(ops::score_dot(in[0], in[1], visible, 0.5), in[1], visible).weights;
  const ops::ScoreFeatures features{ops::convolve_weights(before, in[3], visible), in[4]};
  return ops::attend(ops::score_additive(in[0], in[1], in[2], visible, features), in[1], visible).context;
}

Inputs in_dtype(const Inputs& in, Dtype d) { return d == Dtype::f32 ? testing::as_f32(in) : in; }

Tensor rows_of(const Tensor& x, const Ids& ids) { return ops::gather_rows(Var(x), row_ids(ids)).value(); }

TEST(Visible, TheOpsAreThePlainLoopsOverTheSpan) {
  for (const Visible& visible : {mixed(), causal({5, 0, 3})}) {
    const int64_t N = visible.N(), T = visible.T();
    const Inputs in = inputs_of(N, visible.memory.rows());
    const Var weights = random_param({N, T}, 6), features = random_param({N, T * kF}, 7);
    const Tensor dot = ops::score_dot(in[0], in[1], visible, 0.5).value(),
                 additive = ops::score_additive(in[0], in[1], in[2], visible, {features, in[4]}).value(),
                 convolved = ops::convolve_weights(weights, in[3], visible).value();
    const ops::Attended attended = ops::attend(weights, in[1], visible);
    const auto at = [](const Tensor& x, int64_t r, int64_t c) { return x.data<double>()[r * x.dim(1) + c]; };
    const auto expect = [&](const Tensor& got, int64_t n, int64_t c, double want) {
      EXPECT_NEAR(at(got, n, c), want, 1e-12) << n << ' ' << c;
    };
    for (int64_t n = 0; n < N; ++n) {
      const auto i = static_cast<size_t>(n);
      const int64_t length = (*visible.end)[i] - (*visible.begin)[i];
      const int64_t first = visible.memory.begin((*visible.sentence_of_row)[i]) + (*visible.begin)[i];
      double total = 0;
      std::vector<double> context(kA);
      for (int64_t t = 0; t < length; ++t) total += std::exp(at(weights.value(), n, t));
      for (int64_t t = 0; t < T; ++t) {
        const bool seen = t < length;
        double q_k = 0, v_tanh = 0;
        for (int64_t k = 0; seen && k < kA; ++k) {
          const double q = at(in[0].value(), n, k), key = at(in[1].value(), first + t, k);
          double sum = q + key;
          for (int64_t f = 0; f < kF; ++f) sum += at(features.value(), n, t * kF + f) * at(in[4].value(), k, f);
          q_k += q * key;
          v_tanh += in[2].value().data<double>()[k] * std::tanh(sum);
          context[static_cast<size_t>(k)] += std::exp(at(weights.value(), n, t)) / total * key;
        }
        expect(dot, n, t, 0.5 * q_k), expect(additive, n, t, v_tanh);
        expect(attended.weights.value(), n, t, seen ? std::exp(at(weights.value(), n, t)) / total : 0);
        for (int64_t f = 0; f < kF; ++f) {
          double sum = 0;
          for (int64_t j = 0; seen && j < 5; ++j)
            if (const int64_t p = t + j - 2; 0 <= p && p < length)
              sum += at(in[3].value(), f, j) * at(weights.value(), n, p);
          expect(convolved, n, t * kF + f, sum);
        }
      }
      for (int64_t k = 0; k < kA; ++k) expect(attended.context.value(), n, k, context[static_cast<size_t>(k)]);
    }
  }
}

TEST(Visible, GradientsOfAllOpsTogether) {
  for (const Visible& visible : {causal({4, 0, 1}), causal({6}).within(row_ids({0, 1, 2, 3, 4, 5}), 1)})
    testing::check_op(inputs_of(visible.N(), visible.memory.rows()),
                      [&](const Inputs& in) { return uneven(two_rounds(in, visible)); });
}

TEST(Visible, BoundsAroundAllChangeNothing) {
  const Visible whole{MemoryLayout(std::vector<int64_t>{9, 4, 0, 17}), row_ids({3, 0, 1, 3, 2, 0})};
  const Visible bounded{whole.memory, whole.sentence_of_row, row_ids({0, 0, 0, 0, 0, 0}),
                        row_ids({17, 9, 4, 17, 0, 9})};
  for (const Dtype d : {Dtype::f32, Dtype::f64}) {
    const Inputs in = in_dtype(inputs_of(6, 30), d);
    EXPECT_TRUE(same_bits(two_rounds(in, bounded).value(), two_rounds(in, whole).value()));
    const auto got = gradients_of(in, [&](const Inputs& x) { return uneven(two_rounds(x, bounded)); });
    const auto want = gradients_of(in, [&](const Inputs& x) { return uneven(two_rounds(x, whole)); });
    for (size_t k = 0; k < want.size(); ++k) EXPECT_TRUE(same_bits(got[k], want[k])) << k;
  }
}

// The rows of each sentence, computed beside those of others and by themselves.
TEST(Visible, ASentenceDoesNotDependOnItsCompany) {
  for (const Visible& all : {mixed(), causal({7, 0, 3, 18}), causal({5, 9}).within(row_ids(Ids(14, 4)), 2)})
    for (const Dtype d : {Dtype::f32, Dtype::f64}) {
      const Inputs in = in_dtype(inputs_of(all.N(), all.memory.rows()), d);
      const Tensor upstream = random_tensor({all.N(), kA}, 8).to(d);
      const auto loss = [&](const Inputs& x, const Visible& visible, const Tensor& w) {
        return ops::weighted_sum(two_rounds(x, visible), w);
      };
      const ThreadScope threads(3);
      const Tensor context = two_rounds(in, all).value();
      const auto grads = gradients_of(in, [&](const Inputs& x) { return loss(x, all, upstream); });
      for (int32_t s = 0; s < all.memory.sentences(); ++s) {
        const ThreadScope single(1);
        Ids rows, begin, end;
        for (int32_t n = 0; n < all.N(); ++n) {
          const auto i = static_cast<size_t>(n);
          if ((*all.sentence_of_row)[i] != s) continue;
          rows.push_back(n), begin.push_back((*all.begin)[i]), end.push_back((*all.end)[i]);
        }
        const int64_t first = all.memory.begin(s), length = all.memory.length(s);
        const Visible alone{MemoryLayout(std::vector<int64_t>{length}), row_ids(Ids(rows.size(), 0)), row_ids(begin),
                            row_ids(end)};
        Inputs own = in;
        own[0] = Var::parameter(rows_of(in[0].value(), rows));
        own[1] = Var::parameter(in[1].value().rows(first, first + length).clone());
        EXPECT_TRUE(same_bits(two_rounds(own, alone).value(), rows_of(context, rows))) << "sentence " << s;
        const auto own_grads =
            gradients_of(own, [&](const Inputs& x) { return loss(x, alone, rows_of(upstream, rows)); });
        EXPECT_TRUE(same_bits(own_grads[0], rows_of(grads[0], rows))) << "queries of sentence " << s;
        EXPECT_TRUE(same_bits(own_grads[1], grads[1].rows(first, first + length))) << "keys of sentence " << s;
      }
    }
}

TEST(Visible, NoRowOfCausalAttentionKnowsALaterPosition) {
  const int64_t length = 11;
  const Visible visible = causal({length});
  for (const Dtype d : {Dtype::f32, Dtype::f64})
    for (const int64_t known : {1, 5, 10}) {
      // The context of the first rows, and what it makes the gradient of all positions.
      const auto run = [&](uint64_t seed) {
        Inputs in = inputs_of(length, length);
        const Tensor later = random_tensor({length, kA}, seed);
        const Var x = Var::parameter(
            ops::concat_rows({Var(in[0].value().rows(0, known)), Var(later.rows(known, length))}).value().to(d));
        in = in_dtype(in, d);
        const auto first_rows = [&](const Inputs& own) {
          return ops::slice_rows(two_rounds({own[0], own[0], in[2], in[3], in[4]}, visible), 0, known);
        };
        const Tensor context = first_rows({x}).value();
        return std::pair(context, gradients_of({x}, [&](const Inputs& own) { return uneven(first_rows(own)); })[0]);
      };
      const auto [context, grad] = run(20);
      const auto [other_context, other_grad] = run(21);
      EXPECT_TRUE(same_bits(context, other_context)) << known;
      EXPECT_TRUE(same_bits(grad, other_grad)) << known;
      EXPECT_TRUE(same_bits(grad.rows(known, length), Tensor::zeros({length - known, kA}, d))) << known;
    }
}

void expect_spans(const Visible& visible, const Ids& begin, const Ids& end) {
  EXPECT_EQ(*visible.begin, begin);
  EXPECT_EQ(*visible.end, end);
}

TEST(Visible, AWindowIsCutToWhatIsSeen) {
  const Visible whole{MemoryLayout(std::vector<int64_t>{3, 5}), row_ids({1, 1, 1, 1, 1})};
  const auto each = row_ids({0, 1, 2, 3, 4});
  expect_spans(whole.within(each, 1), {0, 0, 1, 2, 3}, {2, 3, 4, 5, 5});
  expect_spans(whole.within(each, 0), {0, 1, 2, 3, 4}, {1, 2, 3, 4, 5});
  EXPECT_EQ(whole.T(), 5);
  EXPECT_EQ(whole.within(each, 1).T(), 3);
  EXPECT_EQ(ops::score_dot(random_param({5, 2}, 1), random_param({8, 2}, 2), whole.within(each, 1)).shape(),
            (Shape{5, 3}));
  expect_spans(causal({5}).within(each, 1), {0, 0, 1, 2, 3}, {1, 2, 3, 4, 5});
  expect_spans(causal({5}).within(each, 2).within(row_ids({0, 0, 0, 4, 4}), 1), {0, 0, 0, 3, 3}, {1, 2, 2, 4, 5});
  constexpr int32_t kLow = std::numeric_limits<int32_t>::min(), kHigh = std::numeric_limits<int32_t>::max();
  const auto outside = row_ids({kLow, -2, -1, 5, kHigh});
  expect_spans(whole.within(outside, 1), {0, 0, 0, 4, 5}, {0, 0, 1, 5, 5});
  expect_spans(whole.within(outside, std::numeric_limits<int64_t>::max()), {0, 0, 0, 0, 0}, {5, 5, 5, 5, 5});
  EXPECT_EQ(whole.within(row_ids(Ids(5, kLow)), 1).T(), 0);
}

TEST(Visible, WhatDoesNotFitIsRefused) {
  const Var q = random_param({2, 4}, 1), k = random_param({5, 4}, 2), v = random_param({4}, 3);
  const Visible whole{MemoryLayout(std::vector<int64_t>{3, 2}), row_ids({0, 1})};
  const auto bounded = [&](const ops::RowIds& begin, const ops::RowIds& end) {
    return Visible{whole.memory, whole.sentence_of_row, begin, end};
  };
  for (const Visible& bad :
       {bounded(row_ids({0, 0}), row_ids({3, 3})), bounded(row_ids({-1, 0}), row_ids({3, 2})),
        bounded(row_ids({2, 0}), row_ids({1, 2})), bounded(row_ids({0}), row_ids({3, 2})),
        bounded(row_ids({0, 0}), row_ids({3})), bounded(nullptr, row_ids({3, 2})), bounded(row_ids({0, 0}), nullptr)}) {
    EXPECT_THROW(ops::score_dot(q, k, bad), ShapeError);
    EXPECT_THROW(ops::score_additive(q, k, v, bad), ShapeError);
    EXPECT_THROW(ops::convolve_weights(random_param({2, 3}, 1), random_param({1, 3}, 1), bad), ShapeError);
    EXPECT_THROW(ops::attend(random_param({2, 3}, 1), k, bad), ShapeError);
    EXPECT_THROW(bad.within(row_ids({0, 0}), 1), ShapeError);
  }
  EXPECT_THROW(whole.within(row_ids({0}), 1), ShapeError);
  EXPECT_THROW(whole.within(row_ids({0, 0}), -1), ShapeError);
  try {
    ops::score_dot(q, k, bounded(row_ids({0, 1}), row_ids({3, 7})));
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "score_dot: row 1 cannot see positions 1 to 7 of a sentence of 2");
  }
}

}  // namespace
}  // namespace lookback
