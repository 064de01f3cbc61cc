#include "lookback/ops/ctc.h"

#include <map>

#include "lookback/base/parallel.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::gradients_of;
using testing::Inputs;
using testing::random_param;
using testing::same_bits;
using Targets = std::vector<std::vector<int32_t>>;

// What a path stands for.
std::vector<int32_t> joined(const std::vector<int32_t>& path, int32_t blank) {
  std::vector<int32_t> out;
  for (size_t t = 0; t < path.size(); ++t)
    if (path[t] != blank && (t == 0 || path[t] != path[t - 1])) out.push_back(path[t]);
  return out;
}

// Probability of every target, by going through all paths.
std::map<std::vector<int32_t>, double> everything(const Tensor& logits, int32_t blank) {
  const int64_t T = logits.dim(0), V = logits.dim(1);
  std::map<std::vector<int32_t>, double> out;
  std::vector<int32_t> path(static_cast<size_t>(T));
  const std::function<void(int64_t, double)> walk = [&](int64_t t, double p) {
    if (t == T) {
      out[joined(path, blank)] += p;
      return;
    }
    double sum = 0;
    for (int64_t k = 0; k < V; ++k) sum += std::exp(logits.data<double>()[t * V + k]);
    for (int64_t k = 0; k < V; ++k) {
      path[static_cast<size_t>(t)] = static_cast<int32_t>(k);
      walk(t + 1, p * std::exp(logits.data<double>()[t * V + k]) / sum);
    }
  };
  walk(0, 1);
  return out;
}

TEST(Ctc, LossIsThatOfAllPaths) {
  for (const int32_t blank : {0, 1, 2})
    for (int64_t T = 1; T <= 6; ++T) {
      const Var logits = random_param({T, 3}, static_cast<uint64_t>(10 * T + blank));
      for (double& x : logits.value().span<double>()) x *= 4;
      double sum = 0;
      for (const auto& [target, p] : everything(logits.value(), blank)) {
        const auto got = ops::ctc_loss(logits, MemoryLayout(std::vector<int64_t>{T}), {target}, {.blank = blank});
        EXPECT_NEAR(got.loss_sum, -std::log(p), 1e-12);
        EXPECT_EQ(got.impossible, 0);
        sum += std::exp(-got.loss_sum);
      }
      EXPECT_NEAR(sum, 1, 1e-12);
    }
}

TEST(Ctc, Gradients) {
  struct Case {
    std::vector<int64_t> frames;
    Targets targets;
    int64_t V;
    int32_t blank;
    double scale;
  };
  for (const Case& c : {Case{{1}, {{1}}, 2, 0, 1},
                        {{4}, {{}}, 3, 1, 1},
                        {{5}, {{1, 1, 2}}, 4, 3, 0.3},
                        {{3}, {{1, 1}}, 3, 0, -2},
                        {{7, 0, 3, 9}, {{2, 2, 3}, {}, {1}, {3, 1, 3, 1}}, 5, 4, 0.7},
                        {{4, 1, 2}, {{1, 2, 3}, {1, 2}, {2, 2}}, 5, 0, 1}}) {
    int64_t rows = 0;
    for (const int64_t T : c.frames) rows += T;
    check_op({random_param({rows, c.V}, 5)}, [&](const Inputs& x) {
      const Var loss =
          ops::ctc_loss(x[0], MemoryLayout(c.frames), c.targets, {.blank = c.blank, .scale = c.scale}).loss;
      return ops::mul(loss, ops::scale(loss, 0.3));
    });
  }
}

TEST(Ctc, ImpossibleTargetsAreCountedAndChangeNothing) {
  const Var logits = random_param({7, 3}, 1), alone = random_param({7, 3}, 1);
  const MemoryLayout three(std::vector<int64_t>{3, 0, 4});
  const auto out = ops::ctc_loss(logits, three, {{1, 1, 1}, {2}, {2, 1}});
  EXPECT_EQ(out.impossible, 2);
  backward(out.loss);
  for (int64_t i = 0; i < 9; ++i) EXPECT_EQ(logits.grad().data<double>()[i], 0) << i;
  const Var rows = ops::slice_rows(alone, 3, 7);
  const auto one = ops::ctc_loss(rows, MemoryLayout(std::vector<int64_t>{4}), {{2, 1}});
  EXPECT_EQ(out.loss_sum, one.loss_sum);

  // One token cannot happen at all.
  const Var never = Var::parameter(Tensor::of<double>({2, 3}, {0, -INFINITY, 1, 2, -INFINITY, 0}));
  const MemoryLayout two(std::vector<int64_t>{2});
  const auto none = ops::ctc_loss(never, two, {{1}});
  EXPECT_EQ(none.impossible, 1);
  EXPECT_EQ(none.loss_sum, 0);
  backward(none.loss);
  EXPECT_EQ(testing::distance(never.grad(), Tensor::zeros({2, 3}, Dtype::f64)), 0);
  never.clear_grad();
  const auto some = ops::ctc_loss(never, two, {{2}});
  EXPECT_NEAR(std::exp(-some.loss_sum), 1 - (1 / (1 + std::exp(1.0))) * (std::exp(2.0) / (1 + std::exp(2.0))), 1e-12);
  backward(some.loss);
  EXPECT_EQ(never.grad().data<double>()[1], 0);
}

TEST(Ctc, WhatIsNoNumberIsSeen) {
  const Var logits = random_param({3, 3}, 1);
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    logits.value().data<double>()[4] = bad;
    const auto out = ops::ctc_loss(logits, MemoryLayout(std::vector<int64_t>{3}), {{1}});
    EXPECT_TRUE(std::isnan(out.loss_sum));
    backward(out.loss);
    EXPECT_TRUE(std::isnan(logits.grad().data<double>()[0]));
    logits.clear_grad();
  }
}

// A model as sure as can be of something else: forward probabilities of states that end up in the target are 10^-1000
// of the others, which neither float nor double holds.
TEST(Ctc, LongAndSureOfTheWrongThing) {
  const int64_t T = 10000, V = 5;
  std::vector<int32_t> target;
  for (int32_t i = 0; i < 80; ++i) target.push_back(1 + i % 3);
  const Var f64 = Var::parameter(Tensor::zeros({T, V}, Dtype::f64));
  for (int64_t t = 0; t < T; ++t) f64.value().data<double>()[t * V + (t < T / 2 ? 0 : 4)] = t % 7 == 0 ? 3 : 30;
  const Inputs in = {f64}, fast = testing::as_f32(in);
  const MemoryLayout frames(std::vector<int64_t>{T});
  const testing::Loss loss = [&](const Inputs& x) {
    return ops::ctc_loss(x[0], frames, {target}, {.scale = 1e-3}).loss;
  };
  const auto a = gradients_of(in, loss), b = gradients_of(fast, loss);
  EXPECT_LT(testing::distance(b[0], a[0]), 1e-9);
  double most = 0, least = 0;
  for (int64_t t = 0; t < T; ++t) {
    double sum = 0;
    for (int64_t k = 0; k < V; ++k) {
      const double d = a[0].data<double>()[t * V + k];
      sum += d, most = std::max(most, d), least = std::min(least, d);
    }
    EXPECT_NEAR(sum, 0, 1e-13);  // softmax and shares of paths both sum to 1
  }
  EXPECT_GT(most, 0.5e-3);
  EXPECT_LE(most, 1e-3 * (1 + 1e-9));
  EXPECT_GE(least, -1e-3 * (1 + 1e-9));
  // Shifting one logit by h changes the loss by h times its slope.
  const int64_t at = 6000 * V + 2;
  const double before = loss(in).value().data<double>()[0], h = 1e-3;
  f64.value().data<double>()[at] += h;
  EXPECT_NEAR((loss(in).value().data<double>()[0] - before) / h, a[0].data<double>()[at], 1e-6);
}

TEST(Ctc, ASequenceIsWhatItIsAlone) {
  const std::vector<int64_t> lengths = {9, 30, 0, 1, 17, 64, 5};
  const Targets targets = {{1, 2, 2}, {4, 4, 4, 1, 2, 3}, {}, {2}, {}, {1, 2, 3, 4, 5, 6, 1, 1}, {1, 2, 3, 4, 5, 6}};
  const MemoryLayout frames(lengths);
  const Inputs all = testing::as_f32({random_param({frames.rows(), 7}, 3)});
  for (const int threads : {1, 2, 5}) {
    const ThreadScope scope(threads);
    const testing::Loss whole = [&](const Inputs& x) { return ops::ctc_loss(x[0], frames, targets).loss; };
    const Tensor together = gradients_of(all, whole)[0];
    double sum = 0;
    for (size_t s = 0; s < lengths.size(); ++s) {
      const auto begin = frames.begin(static_cast<int64_t>(s)), end = frames.begin(static_cast<int64_t>(s) + 1);
      const Var rows = Var::parameter(all[0].value().rows(begin, end).clone());
      const auto one = ops::ctc_loss(rows, MemoryLayout(std::vector<int64_t>{lengths[s]}), {targets[s]});
      sum += one.loss_sum;
      backward(one.loss);
      if (lengths[s] > 0) {
        EXPECT_TRUE(same_bits(rows.grad(), together.rows(begin, end).clone())) << s;
      }
    }
    EXPECT_EQ(ops::ctc_loss(all[0], frames, targets).loss_sum, sum);
  }
}

TEST(Ctc, BackwardRepeatsAndNoGradRecordsNothing) {
  const Var logits = random_param({6, 4}, 2);
  const MemoryLayout frames(std::vector<int64_t>{4, 2});
  const auto out = ops::ctc_loss(logits, frames, {{1, 3}, {2}});
  testing::expect_backward_repeats(out.loss, logits);
  const NoGrad off;
  const auto same = ops::ctc_loss(logits, frames, {{1, 3}, {2}});
  EXPECT_FALSE(same.loss.needs_grad());
  EXPECT_EQ(same.loss_sum, out.loss_sum);
}

TEST(Ctc, WhatDoesNotFitIsRefused) {
  const Var logits = random_param({3, 4}, 1);
  const MemoryLayout frames(std::vector<int64_t>{3});
  EXPECT_THROW(ops::ctc_loss(logits, MemoryLayout(std::vector<int64_t>{2}), {{1}}), ShapeError);
  EXPECT_THROW(ops::ctc_loss(logits, frames, {{1}, {2}}), ShapeError);
  EXPECT_THROW(ops::ctc_loss(logits, frames, {{0}}), ShapeError);
  EXPECT_THROW(ops::ctc_loss(logits, frames, {{4}}), ShapeError);
  EXPECT_THROW(ops::ctc_loss(logits, frames, {{-1}}), ShapeError);
  EXPECT_THROW(ops::ctc_loss(logits, frames, {{1}}, {.blank = 4}), ShapeError);
}

}  // namespace
}  // namespace lookback
