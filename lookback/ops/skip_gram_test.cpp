#include "lookback/ops/skip_gram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"

namespace lookback::ops {
namespace {

Tensor random_table(int64_t rows, uint64_t seed, Dtype dtype) {
  Tensor out({rows, 16}, Dtype::f64);
  Rng rng(seed);
  for (double& x : out.span<double>()) x = 2 * rng.uniform_double() - 1;
  return out.to(dtype);
}

double* row(const Tensor& table, int32_t k) { return table.data<double>() + k * table.dim(1); }

double dot(const double* x, const double* y) {
  double sum = 0;
  for (int w = 0; w < 16; ++w) sum += x[w] * y[w];
  return sum;
}

// As the header has it.
double loss_of(const SkipGramWindows& windows, const Tensor& in, const Tensor& out) {
  const size_t N = windows.begin.size() - 1, T = windows.outputs.size() / N;
  double loss = 0;
  for (size_t n = 0; n < N; ++n)
    for (int64_t c = windows.begin[n]; c < windows.begin[n + 1]; ++c)
      for (size_t k = 0; k < T; ++k) {
        const double d = dot(row(in, windows.inputs[static_cast<size_t>(c)]), row(out, windows.outputs[n * T + k]));
        loss += std::log1p(std::exp(k == 0 ? -d : d));
      }
  return loss;
}

// A window with an input and a negative that are there twice: what a step of rate 1 adds is the negative gradient of
// the loss, against central differences in double.
TEST(SkipGramStep, OfOneWindowIsTheNegativeGradient) {
  const std::vector<int64_t> begin{1, 5};
  const std::vector<int32_t> inputs{0, 2, 3, 2, 1}, outputs{4, 0, 3, 3};
  const SkipGramWindows window{begin, inputs, outputs};
  const Tensor in = random_table(5, 1, Dtype::f64), out = random_table(6, 2, Dtype::f64);
  const Tensor new_in = in.clone(), new_out = out.clone(), errors({16}, Dtype::f64);
  skip_gram_step(window, 1, new_in, new_out, errors);
  constexpr double kStep = 1e-5;
  for (const auto& [table, changed] : {std::pair(in, new_in), std::pair(out, new_out)})
    for (int64_t k = 0; k < table.size(); ++k) {
      double& x = table.data<double>()[k];
      const double before = x;
      x = before + kStep;
      const double above = loss_of(window, in, out);
      x = before - kStep;
      const double below = loss_of(window, in, out);
      x = before;
      ASSERT_NEAR(changed.data<double>()[k] - before, -(above - below) / (2 * kStep), 1e-8) << k;
    }
}

// Errors are those of the tables before the block, each window's sums those of the tables before the window.
TEST(SkipGramStep, WindowsFollowOneAnother) {
  const std::vector<int64_t> begin{0, 2, 3};
  const std::vector<int32_t> inputs{0, 1, 1}, outputs{2, 0, 2, 1};
  const Tensor in = random_table(2, 1, Dtype::f64), out = random_table(3, 2, Dtype::f64);
  const Tensor want_in = in.clone(), want_out = out.clone();
  const auto error = [&](int32_t x, int32_t y, double label) {
    return 0.5 * (label - 1 / (1 + std::exp(-dot(row(in, x), row(out, y)))));
  };
  const double e[6] = {error(0, 2, 1), error(0, 0, 0), error(1, 2, 1), error(1, 0, 0), error(1, 2, 1), error(1, 1, 0)};
  const auto add = [](double factor, const double* from, double* to) {
    for (int w = 0; w < 16; ++w) to[w] += factor * from[w];
  };
  const Tensor old_in = in.clone(), old_out = out.clone();
  add(e[0], row(old_out, 2), row(want_in, 0)), add(e[1], row(old_out, 0), row(want_in, 0));
  add(e[2], row(old_out, 2), row(want_in, 1)), add(e[3], row(old_out, 0), row(want_in, 1));
  add(e[0], row(old_in, 0), row(want_out, 2)), add(e[2], row(old_in, 1), row(want_out, 2));
  add(e[1], row(old_in, 0), row(want_out, 0)), add(e[3], row(old_in, 1), row(want_out, 0));
  const Tensor next_in = want_in.clone(), next_out = want_out.clone();
  add(e[4], row(next_out, 2), row(want_in, 1)), add(e[5], row(next_out, 1), row(want_in, 1));
  add(e[4], row(next_in, 1), row(want_out, 2)), add(e[5], row(next_in, 1), row(want_out, 1));

  const Tensor errors({6}, Dtype::f64);
  skip_gram_step({begin, inputs, outputs}, 0.5, in, out, errors);
  for (int k = 0; k < 6; ++k) EXPECT_NEAR(errors.data<double>()[k], e[k], 1e-12);
  for (int64_t k = 0; k < in.size(); ++k) EXPECT_NEAR(in.data<double>()[k], want_in.data<double>()[k], 1e-12);
  for (int64_t k = 0; k < out.size(); ++k) EXPECT_NEAR(out.data<double>()[k], want_out.data<double>()[k], 1e-12);
}

TEST(SkipGramStep, RefusesWhatDoesNotFit) {
  const Tensor in = random_table(2, 1, Dtype::f32), out = random_table(3, 2, Dtype::f32), errors({8});
  const std::vector<int64_t> begin{0, 2}, backwards{2, 0}, beyond{0, 3};
  const std::vector<int32_t> inputs{0, 1}, outputs{2, 0}, large{3, 0}, negative{-1, 0};
  EXPECT_THROW(skip_gram_step({backwards, inputs, outputs}, 1, in, out, errors), ShapeError);
  EXPECT_THROW(skip_gram_step({beyond, inputs, outputs}, 1, in, out, errors), ShapeError);
  EXPECT_THROW(skip_gram_step({begin, inputs, large}, 1, in, out, errors), ShapeError);
  EXPECT_THROW(skip_gram_step({begin, negative, outputs}, 1, in, out, errors), ShapeError);
  EXPECT_THROW(skip_gram_step({begin, inputs, outputs}, 1, in, out, Tensor({3})), ShapeError);
  EXPECT_THROW(skip_gram_step({begin, inputs, outputs}, 1, in, Tensor({3, 32}), errors), ShapeError);
  EXPECT_THROW(skip_gram_step({begin, inputs, outputs}, 1, in, out.to(Dtype::f64), errors), ShapeError);
  EXPECT_NO_THROW(skip_gram_step({begin, inputs, outputs}, 1, in, out, errors));
}

}  // namespace
}  // namespace lookback::ops
