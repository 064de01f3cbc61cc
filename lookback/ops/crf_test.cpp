#include "lookback/ops/crf.h"

#include <limits>

#include "lookback/base/parallel.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using ops::CrfScores;
using testing::check_op;
using testing::distance;
using testing::Inputs;
using testing::random_param;
using testing::random_tensor;
using testing::same_bits;

constexpr double kForbidden = -std::numeric_limits<double>::infinity();
const std::vector<int64_t> kLengths = {5, 4, 0, 2, 1};

CrfScores scores_of(const Inputs& x) { return {x[0], x[1], x[2], x[3]}; }

Inputs random_inputs(int64_t S, int64_t K, uint64_t seed, double size = 1) {
  Inputs out;
  for (const Shape& shape : {Shape{S, K}, Shape{K, K}, Shape{K}, Shape{K}}) {
    Tensor x = random_tensor(shape, ++seed);
    for (double& v : x.span<double>()) v *= size;
    out.push_back(Var::parameter(x));
  }
  return out;
}

std::vector<int32_t> random_tags(int64_t S, int64_t K, uint64_t seed) {
  Rng rng(seed, 3);
  std::vector<int32_t> out;
  for (int64_t n = 0; n < S; ++n) out.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(K))));
  return out;
}

struct Brute {
  double log_z = 0, best = kForbidden;
  std::vector<int32_t> best_tags;
  std::vector<double> marginals, pairs, first, last;  // [L, K], [K, K], [K], [K]
  std::vector<double> score_of;                       // of tags numbered with the first as the lowest digit
};

// All K^L sequences of tags, one by one.
Brute brute(const CrfScores& s, int64_t begin, int64_t L) {
  const int64_t K = s.emissions.dim(1);
  const auto number = [](const Var& v, int64_t k) { return v.value().data<double>()[k]; };
  Brute out{.marginals = std::vector<double>(static_cast<size_t>(L * K)),
            .pairs = std::vector<double>(static_cast<size_t>(K * K)),
            .first = std::vector<double>(static_cast<size_t>(K)),
            .last = std::vector<double>(static_cast<size_t>(K))};
  int64_t count = 1;
  for (int64_t t = 0; t < L; ++t) count *= K;
  const auto digits = [&](int64_t code) {
    std::vector<int32_t> y;
    for (int64_t t = 0; t < L; ++t, code /= K) y.push_back(static_cast<int32_t>(code % K));
    return y;
  };
  for (int64_t code = 0; code < count; ++code) {
    const auto y = digits(code);
    double score = number(s.start, y[0]) + number(s.end, y.back());
    for (int64_t t = 0; t < L; ++t) {
      score += number(s.emissions, (begin + t) * K + y[static_cast<size_t>(t)]);
      if (t > 0) score += number(s.transitions, y[static_cast<size_t>(t) - 1] * K + y[static_cast<size_t>(t)]);
    }
    out.score_of.push_back(score);
    if (score > out.best) out.best = score, out.best_tags = y;
  }
  double sum = 0;
  for (const double x : out.score_of) sum += std::exp(x - out.best);
  out.log_z = out.best + std::log(sum);
  for (int64_t code = 0; code < count; ++code) {
    const auto y = digits(code);
    const double p = std::exp(out.score_of[static_cast<size_t>(code)] - out.log_z);
    for (int64_t t = 0; t < L; ++t) {
      out.marginals[static_cast<size_t>(t * K + y[static_cast<size_t>(t)])] += p;
      if (t > 0) out.pairs[static_cast<size_t>(y[static_cast<size_t>(t) - 1] * K + y[static_cast<size_t>(t)])] += p;
    }
    out.first[static_cast<size_t>(y[0])] += p, out.last[static_cast<size_t>(y.back())] += p;
  }
  return out;
}

double score_of(const CrfScores& s, int64_t begin, std::span<const int32_t> y) {
  const int64_t K = s.emissions.dim(1);
  double out = s.start.value().data<double>()[y[0]] + s.end.value().data<double>()[y.back()];
  for (size_t t = 0; t < y.size(); ++t) {
    out += s.emissions.value().data<double>()[(begin + static_cast<int64_t>(t)) * K + y[t]];
    if (t > 0) out += s.transitions.value().data<double>()[y[t - 1] * K + y[t]];
  }
  return out;
}

// Loss, gradients, marginals and the best tags against all sequences of tags.
void expect_brute(const Inputs& in, const std::vector<int64_t>& lengths, const std::vector<int32_t>& tags,
                  double bound = 1e-9) {
  const CrfScores scores = scores_of(in);
  const MemoryLayout layout(lengths);
  const int64_t K = scores.emissions.dim(1);
  const auto out = ops::crf_loss(scores, layout, tags, 0.7);
  const auto grads =
      testing::gradients_of(in, [&](const Inputs&) { return ops::crf_loss(scores, layout, tags, 0.7).loss; });
  const auto marginals = ops::crf_marginals(scores, layout);
  const auto paths = ops::crf_viterbi(scores, layout);
  std::vector<Tensor> want;
  for (const Var& x : in) want.push_back(Tensor::zeros(x.shape(), Dtype::f64));
  double nll = 0;
  for (int64_t s = 0; s < layout.sentences(); ++s) {
    const int64_t n = layout.begin(s), L = layout.length(s);
    if (L == 0) continue;
    const std::span<const int32_t> y = std::span(tags).subspan(static_cast<size_t>(n), static_cast<size_t>(L));
    const Brute all = brute(scores, n, L);
    nll += all.log_z - score_of(scores, n, y);
    EXPECT_NEAR(marginals.log_z[static_cast<size_t>(s)], all.log_z, bound * std::max(1.0, std::abs(all.log_z)));
    EXPECT_NEAR(paths.scores[static_cast<size_t>(s)], all.best, bound * std::max(1.0, std::abs(all.best)));
    EXPECT_EQ(std::vector<int32_t>(paths.tags.begin() + n, paths.tags.begin() + n + L), all.best_tags);
    for (int64_t k = 0; k < L * K; ++k) {
      EXPECT_NEAR(marginals.probabilities.data<double>()[n * K + k], all.marginals[static_cast<size_t>(k)], bound);
      want[0].data<double>()[n * K + k] +=
          0.7 * (all.marginals[static_cast<size_t>(k)] - (y[static_cast<size_t>(k / K)] == k % K ? 1 : 0));
    }
    for (int64_t k = 0; k < K * K; ++k) want[1].data<double>()[k] += 0.7 * all.pairs[static_cast<size_t>(k)];
    for (size_t t = 1; t < y.size(); ++t) want[1].data<double>()[y[t - 1] * K + y[t]] -= 0.7;
    for (int64_t k = 0; k < K; ++k) {
      want[2].data<double>()[k] += 0.7 * (all.first[static_cast<size_t>(k)] - (y[0] == k ? 1 : 0));
      want[3].data<double>()[k] += 0.7 * (all.last[static_cast<size_t>(k)] - (y.back() == k ? 1 : 0));
    }
  }
  EXPECT_NEAR(out.nll_sum, nll, bound * std::max(1.0, nll));
  EXPECT_NEAR(out.loss.value().data<double>()[0], 0.7 * nll, bound * std::max(1.0, nll));
  for (size_t k = 0; k < want.size(); ++k) EXPECT_LT(distance(grads[k], want[k]), bound) << "input " << k;
}

TEST(Crf, IsTheSumOverAllSequencesOfTags) {
  for (const int64_t K : {1, 2, 3, 5})
    for (const double size : {0.0, 1.0, 20.0}) {
      SCOPED_TRACE(str_cat("K ", K, " size ", size));
      if (size == 0 && K > 1) continue;  // ties: below
      expect_brute(random_inputs(12, K, 5, size), kLengths, random_tags(12, K, 4));
    }
}

TEST(Crf, Gradients) {
  const auto tags = random_tags(12, 4, 9);
  check_op(random_inputs(12, 4, 2),
           [&](const Inputs& x) { return ops::crf_loss(scores_of(x), MemoryLayout(kLengths), tags, 0.3).loss; });
}

// O, B, I: nothing but B and I may go before I.
Inputs with_bio(Inputs in) {
  in[1].value().data<double>()[0 * 3 + 2] = kForbidden;
  in[2].value().data<double>()[2] = kForbidden;
  return in;
}

TEST(Crf, WhatIsForbiddenHasNoProbability) {
  const std::vector<int32_t> tags = {1, 2, 2, 0, 1, 0, 0, 1, 2, 1, 1, 0};
  const Inputs in = with_bio(random_inputs(12, 3, 7, 3));
  expect_brute(in, kLengths, tags);
  const auto grads = testing::gradients_of(
      in, [&](const Inputs& x) { return ops::crf_loss(scores_of(x), MemoryLayout(kLengths), tags).loss; });
  EXPECT_EQ(grads[1].data<double>()[2], 0);
  EXPECT_EQ(grads[2].data<double>()[2], 0);
  Inputs wanted = in;  // emissions in favour of I alone
  for (int64_t n = 0; n < 12; ++n) wanted[0].value().data<double>()[n * 3 + 2] = 100;
  const auto y = ops::crf_viterbi(scores_of(wanted), MemoryLayout(kLengths)).tags;
  EXPECT_EQ(y, (std::vector<int32_t>{1, 2, 2, 2, 2, 1, 2, 2, 2, 1, 2, y[11]}));
  EXPECT_NE(y[11], 2);
}

TEST(Crf, RefusesForbiddenTags) {
  const Inputs in = with_bio(random_inputs(4, 3, 7));
  const MemoryLayout layout(std::vector<int64_t>{4});
  const auto message = [&](const std::vector<int32_t>& tags) {
    try {
      ops::crf_loss(scores_of(in), layout, tags);
    } catch (const ShapeError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({1, 2, 0, 2}), "crf_loss: sequence 0: tag 2 is forbidden behind tag 0");
  EXPECT_EQ(message({2, 2, 0, 0}), "crf_loss: sequence 0: tag 2 is forbidden as the first");
  EXPECT_EQ(message({1, 2, 0, 3}), "crf_loss: tag 3 of 3");
  EXPECT_EQ(message({1, 2, 0}), "crf_loss: 3 tags for 4 rows");
  EXPECT_EQ(message({1, 2, 0, 0}), "");
  Inputs none = in;
  none[3] = Var::parameter(Tensor::full({3}, kForbidden, Dtype::f64));
  EXPECT_THROW(ops::crf_viterbi(scores_of(none), layout), ShapeError);
  EXPECT_THROW(ops::crf_marginals(scores_of(none), layout), ShapeError);
  EXPECT_THROW(ops::crf_loss(scores_of(random_inputs(5, 3, 7)), layout, {1, 2, 0, 0}), ShapeError);
}

// Exponentials of these leave double: what is rare everywhere decides in the end.
TEST(Crf, AnySizeOfScores) {
  Inputs in = random_inputs(12, 2, 3);
  double* const e = in[0].value().data<double>();
  for (int64_t n = 0; n < 12; ++n) e[2 * n] += 400;
  in[1].value().data<double>()[1] = kForbidden, in[1].value().data<double>()[2] = kForbidden;  // none changes
  in[3].value().data<double>()[0] -= 3000;
  expect_brute(in, kLengths, std::vector<int32_t>(12, 1), 1e-9);
  in = random_inputs(12, 3, 4, 900);
  expect_brute(in, kLengths, random_tags(12, 3, 2), 1e-9);
}

TEST(Crf, OfEqualsTheSmallerTag) {
  Inputs in = random_inputs(6, 3, 3, 0);
  const MemoryLayout layout(std::vector<int64_t>{4, 2});
  EXPECT_EQ(ops::crf_viterbi(scores_of(in), layout).tags, std::vector<int32_t>(6, 0));
  in[1].value().data<double>()[0] = -1;  // not 0 behind 0
  EXPECT_EQ(ops::crf_viterbi(scores_of(in), layout).tags, (std::vector<int32_t>{1, 0, 1, 0, 1, 0}));
}

TEST(Crf, EachSequenceAsAloneWithAnyThreads) {
  Rng rng(4, 4);
  std::vector<int64_t> lengths;
  int64_t S = 0;
  for (int k = 0; k < 37; ++k) lengths.push_back(static_cast<int64_t>(rng.below(30))), S += lengths.back();
  for (const int64_t K : {3, 20}) {
    const Inputs in = testing::as_f32(random_inputs(S, K, 6, 2));
    const auto tags = random_tags(S, K, 8);
    const MemoryLayout layout(lengths);
    struct Result {
      std::vector<Tensor> grads;
      Tensor loss, p;
      ops::CrfPaths paths;
    };
    const auto run = [&](int threads) {
      const ThreadScope scope(threads);
      Result out;
      out.grads = testing::gradients_of(in, [&](const Inputs& x) {
        const auto loss = ops::crf_loss(scores_of(x), layout, tags, 0.1);
        out.loss = loss.loss.value().clone();
        return loss.loss;
      });
      out.p = ops::crf_marginals(scores_of(in), layout).probabilities;
      out.paths = ops::crf_viterbi(scores_of(in), layout);
      return out;
    };
    const Result one = run(1);
    for (const int threads : {2, 5}) {
      const Result many = run(threads);
      EXPECT_TRUE(same_bits(one.loss, many.loss) && same_bits(one.p, many.p));
      EXPECT_EQ(one.paths.tags, many.paths.tags);
      EXPECT_EQ(one.paths.scores, many.paths.scores);
      for (size_t k = 0; k < 4; ++k) EXPECT_TRUE(same_bits(one.grads[k], many.grads[k])) << k;
    }
    for (int64_t s = 0; s < layout.sentences(); ++s) {
      const int64_t n = layout.begin(s), end = layout.begin(s + 1);
      Inputs alone = in;
      alone[0] = Var::parameter(in[0].value().rows(n, end).clone());
      const MemoryLayout itself(std::vector<int64_t>{end - n});
      const std::vector<int32_t> own(tags.begin() + n, tags.begin() + end);
      backward(ops::crf_loss(scores_of(alone), itself, own, 0.1).loss);
      if (end > n) {
        EXPECT_TRUE(same_bits(alone[0].grad(), one.grads[0].rows(n, end).clone()));
      }
      EXPECT_TRUE(same_bits(ops::crf_marginals(scores_of(alone), itself).probabilities, one.p.rows(n, end).clone()));
      const auto paths = ops::crf_viterbi(scores_of(alone), itself);
      EXPECT_EQ(paths.scores[0], one.paths.scores[static_cast<size_t>(s)]);
      EXPECT_EQ(paths.tags, std::vector<int32_t>(one.paths.tags.begin() + n, one.paths.tags.begin() + end));
    }
  }
}

TEST(Crf, HundredThousandTokens) {
  const int64_t S = 100'000, K = 4;
  const Inputs in = testing::as_f32(random_inputs(S, K, 6));
  const MemoryLayout layout(std::vector<int64_t>{S});
  const auto paths = ops::crf_viterbi(scores_of(in), layout);
  const auto out = ops::crf_loss(scores_of(in), layout, paths.tags, 1.0 / S);
  EXPECT_GT(out.nll_sum, 0);
  EXPECT_NEAR(out.nll_sum, ops::crf_marginals(scores_of(in), layout).log_z[0] - paths.scores[0], 1e-6);
}

}  // namespace
}  // namespace lookback
