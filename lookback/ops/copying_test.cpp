#include "lookback/ops/copying.h"

#include "lookback/ops/linear.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::Inputs;
using testing::random_param;

// Rows that attend to two sentences, whose tokens are known, unknown, there twice and no token of an output.
struct Case {
  int64_t shortening = 1;
  std::vector<std::vector<int32_t>> tokens = {{2, 6, 2, 7, -1}, {0, 6, 3}};
  std::vector<int32_t> sentence_of_row = {0, 1, 0, 0, 1, 0};
  std::vector<int32_t> targets = {2, 6, 7, 4, 5, 6};  // both ways, copied alone, written alone
  static constexpr int64_t kHidden = 3, kVocabulary = 6;

  int64_t N() const { return std::ssize(targets); }
  int64_t T() const { return (5 + shortening - 1) / shortening; }
  ops::Copying copying(const Inputs& x) const {
    const std::vector<ops::CopySentence> sentences(tokens.begin(), tokens.end());
    return {
        x[3],
        x[4],
        {std::make_shared<const std::vector<ops::CopySentence>>(sentences), ops::row_ids(sentence_of_row), shortening}};
  }
  // Weights are positive, and zero past a sentence's end.
  Inputs inputs() const {
    Tensor weights = testing::random_tensor({N(), T()}, 5);
    for (int64_t n = 0; n < N(); ++n) {
      const auto length = std::ssize(tokens[static_cast<size_t>(sentence_of_row[static_cast<size_t>(n)])]);
      double sum = 0;
      for (int64_t t = 0; t < T(); ++t) {
        double& w = weights.data<double>()[n * T() + t];
        w = t * shortening < length ? std::abs(w) : 0;
        sum += w;
      }
      for (int64_t t = 0; t < T(); ++t) weights.data<double>()[n * T() + t] /= sum;
    }
    return {random_param({N(), kHidden}, 1), random_param({kVocabulary, kHidden}, 2), random_param({kVocabulary}, 3),
            random_param({N(), 1}, 4), Var::parameter(weights)};
  }
};

// The formula, for row n: probabilities of all tokens.
std::vector<double> mixture(const Case& c, const Inputs& x, int64_t n) {
  std::vector<double> p(8);
  double sum = 0;
  for (int64_t v = 0; v < Case::kVocabulary; ++v) {
    double z = x[2].value().data<double>()[v];
    for (int64_t k = 0; k < Case::kHidden; ++k)
      z += x[0].value().data<double>()[n * Case::kHidden + k] * x[1].value().data<double>()[v * Case::kHidden + k];
    sum += p[static_cast<size_t>(v)] = std::exp(z);
  }
  const double g = 1 / (1 + std::exp(-x[3].value().data<double>()[n]));
  for (double& v : p) v *= g / sum;
  const auto& tokens = c.tokens[static_cast<size_t>(c.sentence_of_row[static_cast<size_t>(n)])];
  std::vector<double> weights(8);
  double all = 0;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const auto column = static_cast<int64_t>(t) / c.shortening;
    const auto together = std::min(c.shortening, std::ssize(tokens) - column * c.shortening);
    if (tokens[t] < 0) continue;
    const double w = x[4].value().data<double>()[n * c.T() + column] / static_cast<double>(together);
    weights[static_cast<size_t>(tokens[t])] += w, all += w;
  }
  for (size_t v = 0; v < p.size(); ++v) p[v] += (1 - g) * weights[v] / all;
  return p;
}

TEST(CopyXent, Gradients) {
  for (const int64_t shortening : {1, 2})
    for (const double smoothing : {0.0, 0.1}) {
      const Case c{.shortening = shortening};
      check_op(c.inputs(), [&](const Inputs& x) {
        return ops::copy_xent(x[0], x[1], x[2], c.copying(x), c.targets, {.smoothing = smoothing, .scale = 0.7}).loss;
      });
    }
}

TEST(CopyXent, ValuesAreThoseOfTheFormula) {
  for (const int64_t shortening : {1, 2}) {
    const Case c{.shortening = shortening};
    const Inputs x = c.inputs();
    const auto out = ops::copy_xent(x[0], x[1], x[2], c.copying(x), c.targets, {.scale = 0.5});
    double nll = 0;
    for (int64_t n = 0; n < c.N(); ++n) {
      const std::vector<double> p = mixture(c, x, n);
      const auto y = static_cast<size_t>(c.targets[static_cast<size_t>(n)]);
      nll -= std::log(p[y]);
      EXPECT_EQ(out.is_correct[static_cast<size_t>(n)], *std::ranges::max_element(p) == p[y]) << n;
    }
    EXPECT_NEAR(out.nll_sum, nll, 1e-9);
    EXPECT_NEAR(out.loss_sum, nll, 1e-9);
    EXPECT_NEAR(out.loss.value().data<double>()[0], 0.5 * nll, 1e-9);
  }
}

// Smoothing adds what projected_xent's adds, and takes the same share of the rest away.
TEST(CopyXent, SmoothingIsOfTheSoftmax) {
  const Case c;
  const Inputs x = c.inputs();
  const auto plain = ops::copy_xent(x[0], x[1], x[2], c.copying(x), c.targets);
  const auto smooth = ops::copy_xent(x[0], x[1], x[2], c.copying(x), c.targets, {.smoothing = 0.2});
  const std::vector<int32_t> any(c.targets.size());
  const double even = ops::projected_xent(x[0], x[1], x[2], any, {.smoothing = 0.2}).loss_sum -
                      0.8 * ops::projected_xent(x[0], x[1], x[2], any).loss_sum;
  EXPECT_NEAR(smooth.loss_sum, 0.8 * plain.nll_sum + even, 1e-9);
  EXPECT_NEAR(smooth.nll_sum, plain.nll_sum, 1e-9);
}

// A closed gate on a target that is not there: a large loss, and no number that is none.
TEST(CopyXent, ATargetThatNeitherPartCanGive) {
  Case c;
  c.targets = {7, 7, 7, 7, 7, 7};  // row 1 and 4 look at a sentence without it
  const Inputs x = c.inputs();
  const auto out = ops::copy_xent(x[0], x[1], x[2], c.copying(x), c.targets);
  EXPECT_GT(out.nll_sum, 2 * -std::log(1.01e-20));
  for (const Tensor& g : testing::gradients_of(
           x, [&](const Inputs& in) { return ops::copy_xent(in[0], in[1], in[2], c.copying(in), c.targets).loss; }))
    for (const double v : g.span<double>()) EXPECT_TRUE(std::isfinite(v));
}

TEST(CopyLogits, TheirSoftmaxIsTheMixture) {
  for (const int64_t shortening : {1, 2})
    for (const float gate : {-60.0f, -1.0f, 0.0f, 2.0f, 60.0f}) {
      const Case c{.shortening = shortening};
      Inputs x = c.inputs();
      x[3] = Var(Tensor::full({c.N(), 1}, gate, Dtype::f64));
      const Inputs f = testing::as_f32(x);
      const Tensor out = ops::copy_logits(f[0], f[1], f[2], c.copying(f), 3);
      ASSERT_EQ(out.shape(), (Shape{c.N(), 9}));
      for (int64_t n = 0; n < c.N(); ++n) {
        const std::vector<double> want = mixture(c, x, n);
        const auto row = out.rows(n, n + 1).span<float>();
        EXPECT_EQ(row[8], -INFINITY);
        double sum = 0, top = *std::ranges::max_element(row);
        for (const float z : row) sum += std::exp(static_cast<double>(z) - top);
        for (size_t v = 0; v < want.size(); ++v)
          EXPECT_NEAR(std::exp(static_cast<double>(row[v]) - top) / sum, want[v], 2e-6) << n << ' ' << v << ' ' << gate;
      }
    }
}

// Weights that are zero, as those of a monotonic attention behind the source's end, or of tokens of no output.
TEST(CopyXent, WithNothingToCopyAllIsWritten) {
  Case c;
  c.tokens = {{-1, -1}, {0, 6, 3}}, c.targets = {2, 1, 3, 4, 5, 2};
  Inputs x = c.inputs();
  Tensor weights = x[4].value().clone();
  for (const int64_t n : {1, 4})
    for (int64_t t = 0; t < c.T(); ++t) weights.data<double>()[n * c.T() + t] = 0;
  x[4] = Var::parameter(weights);
  const auto loss = [&](const Inputs& in) { return ops::copy_xent(in[0], in[1], in[2], c.copying(in), c.targets); };
  EXPECT_NEAR(loss(x).nll_sum, ops::projected_xent(x[0], x[1], x[2], c.targets).nll_sum, 1e-9);
  const auto grads = testing::gradients_of(x, [&](const Inputs& in) { return loss(in).loss; });
  for (const size_t k : {3U, 4U})
    for (const double g : grads[k].span<double>()) EXPECT_EQ(g, 0);
  const Inputs f = testing::as_f32(x);
  const Tensor logits = ops::linear(f[0], f[1], {.bias = f[2]}).value();
  const Tensor out = ops::copy_logits(f[0], f[1], f[2], c.copying(f), 1);
  for (int64_t n = 0; n < c.N(); ++n)
    EXPECT_TRUE(std::ranges::equal(out.rows(n, n + 1).span<float>().first(6), logits.rows(n, n + 1).span<float>()));
}

TEST(CopyXent, RefusesWhatDoesNotFit) {
  const Case c;
  const Inputs x = c.inputs();
  Case longer = c;
  longer.tokens[0].push_back(2);  // six tokens, five columns
  EXPECT_THROW(ops::copy_xent(x[0], x[1], x[2], longer.copying(x), c.targets), ShapeError);
  ops::Copying wrong = c.copying(x);
  wrong.source.sentence_of_row = ops::row_ids({0, 1, 0, 0, 1, 2});
  EXPECT_THROW(ops::copy_xent(x[0], x[1], x[2], wrong, c.targets), ShapeError);
  EXPECT_THROW(ops::copy_xent(x[0], x[1], x[2], c.copying(x), {1, 2}), ShapeError);
}

}  // namespace
}  // namespace lookback
