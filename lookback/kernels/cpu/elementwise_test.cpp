// Loss, activations, dropout and the moving of rows against the reference.
#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

size_t count(int64_t n) { return static_cast<size_t>(n); }

std::vector<int32_t> ids_below(int64_t n, int64_t limit, bool negatives) {
  Rng rng(3);
  std::vector<int32_t> out(count(n));
  for (int32_t& id : out) {
    id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(limit)));
    if (negatives && rng.below(4) == 0) id = -1;
  }
  return out;
}

template <class R>
Outputs run_softmax_xent(const Table<R>& table, int64_t N, int64_t V, double smoothing, bool want_grad, float spread) {
  auto logits = numbers<R>(N * V, 1);
  for (R& x : logits) x *= R(spread);
  const auto targets = ids_below(N, V, false);
  std::vector<double> losses(count(N)), nlls(losses);
  std::vector<int8_t> correct(count(N));
  table.softmax_xent({N, V, smoothing, R(0.25f), targets.data(), logits.data(), want_grad, losses.data(), nlls.data(),
                      correct.data()});
  Outputs out;
  // Without a gradient the logits are left in no particular state.
  if (want_grad) put(out, "dlogits", logits);
  put(out, "losses", losses), put(out, "nlls", nlls), put(out, "correct", correct);
  return out;
}

TEST(ElementwiseKernels, SoftmaxXentAgrees) {
  for (const int64_t N : {0, 1, 9})
    for (const int64_t V : {1, 2, 7, 16, 33, 1000})
      for (const double smoothing : {0.0, 0.1})
        for (const bool grad : {false, true})
          for (const float spread : {1.0f, 30.0f})
            expect_agreement(
                [&]<class R>(const Table<R>& t) { return run_softmax_xent(t, N, V, smoothing, grad, spread); },
                "softmax_xent, N " + std::to_string(N) + ", V " + std::to_string(V) + ", smoothing " +
                    std::to_string(smoothing) + ", spread " + std::to_string(spread));
}

TEST(ElementwiseKernels, SoftmaxXentRowDoesNotSeeItsBatch) {
  for (const int64_t V : {7, 1000}) {
    const auto logits = numbers(9 * V, 1);
    const auto targets = ids_below(9, V, false);
    const auto run = [&](int64_t first, int64_t N) {
      std::vector<float> x(logits.begin() + first * V, logits.begin() + (first + N) * V);
      std::vector<double> losses(count(N)), nlls(losses);
      std::vector<int8_t> correct(count(N));
      cpu().softmax_xent(
          {N, V, 0.1, 0.5f, targets.data() + first, x.data(), true, losses.data(), nlls.data(), correct.data()});
      return std::pair(x, losses);
    };
    const auto [x, losses] = run(0, 9);
    for (int64_t n = 0; n < 9; ++n) {
      const auto [own_x, own_losses] = run(n, 1);
      EXPECT_EQ(own_losses[0], losses[count(n)]);
      EXPECT_EQ(own_x, std::vector<float>(x.begin() + n * V, x.begin() + (n + 1) * V));
    }
  }
}

// The first of equal logits is the prediction, and NaN gives NaN.
TEST(ElementwiseKernels, SoftmaxXentTiesAndNotANumber) {
  for (const bool bad : {false, true}) {
    std::vector<float> x(70, 1.0f);
    if (bad) x[50] = std::numeric_limits<float>::quiet_NaN();
    const int32_t y = 0;
    double loss = 0, nll = 0;
    int8_t correct = 0;
    cpu().softmax_xent({1, 70, 0.0, 1.0f, &y, x.data(), true, &loss, &nll, &correct});
    EXPECT_EQ(std::isnan(loss), bad);
    EXPECT_EQ(std::isnan(x[3]), bad);
    if (bad) continue;
    EXPECT_EQ(correct, 1);
    EXPECT_NEAR(loss, std::log(70.0), 1e-6);
  }
}

template <class R>
Outputs run_unary(const Table<R>& table, Unary kind, int64_t size) {
  auto x = numbers<R>(size, 1), dx = numbers<R>(size, 2);
  const auto dy = numbers<R>(size, 3);
  for (size_t k = 0; k < x.size(); k += 3) x[k] *= 20;
  std::vector<R> y(x.size(), R{9});
  const UnaryForward<R> f{kind, size, x.data(), y.data()};
  table.unary(f);
  table.unary_backward({f, dy.data(), dx.data()});
  Outputs out;
  put(out, "y", y), put(out, "dx", dx);
  return out;
}

TEST(ElementwiseKernels, UnaryAgrees) {
  for (const Unary kind : {Unary::tanh, Unary::sigmoid, Unary::relu, Unary::elu})
    for (const int64_t size : {0, 1, 7, 16, 33, 20000})
      expect_agreement([&]<class R>(const Table<R>& t) { return run_unary(t, kind, size); },
                       "unary " + std::to_string(static_cast<int>(kind)) + ", size " + std::to_string(size));
}

TEST(ElementwiseKernels, UnaryKeepsNotANumber) {
  for (const Unary kind : {Unary::tanh, Unary::sigmoid, Unary::relu, Unary::elu})
    for (const auto* table : {&cpu(), &ref<float>()}) {
      const float x = std::numeric_limits<float>::quiet_NaN();
      float y = 0;
      table->unary({kind, 1, &x, &y});
      EXPECT_TRUE(std::isnan(y)) << table->name << " " << static_cast<int>(kind);
    }
}

template <class R>
Outputs run_glu(const Table<R>& table, int64_t N, int64_t C, bool with_addend, bool accumulate) {
  auto x = numbers<R>(N * 2 * C, 1), dx = numbers<R>(N * 2 * C, 2);
  const auto addend = numbers<R>(N * C, 3), dy = numbers<R>(N * C, 4);
  for (size_t k = 0; k < x.size(); k += 3) x[k] *= 20;
  std::vector<R> y(count(N * C), R{9});
  const Glu<R> f{N, C, x.data(), with_addend ? addend.data() : nullptr, y.data()};
  table.glu(f);
  table.glu_backward({f, dy.data(), dx.data(), accumulate});
  Outputs out;
  put(out, "y", y), put(out, "dx", dx);
  return out;
}

TEST(ElementwiseKernels, GluAgrees) {
  for (const int64_t N : {0, 1, 40})
    for (const int64_t C : {1, 7, 16, 33, 300})
      for (const int mode : {0, 1, 2, 3})
        expect_agreement([&]<class R>(const Table<R>& t) { return run_glu(t, N, C, mode & 1, mode & 2); },
                         "glu, N " + std::to_string(N) + ", C " + std::to_string(C) + ", mode " + std::to_string(mode));
}

template <class R>
Outputs run_rows(const Table<R>& table, int64_t N, int64_t C, int64_t V) {
  const auto ids = ids_below(N, V, true);
  const auto from = numbers<R>(V * C, 1), rows = numbers<R>(N * C, 2);
  auto into = numbers<R>(V * C, 3);
  std::vector<R> gathered(rows.size(), R{9});
  table.gather_rows({N, C, ids.data(), from.data(), gathered.data()});
  table.scatter_rows({N, C, ids.data(), rows.data(), into.data()});
  Outputs out;
  put(out, "gathered", gathered), put(out, "scattered", into);
  return out;
}

TEST(ElementwiseKernels, RowsAgree) {
  for (const int64_t N : {0, 1, 40})
    for (const int64_t C : {1, 7, 64, 200})
      for (const int64_t V : {1, 5})
        expect_agreement([&]<class R>(const Table<R>& t) { return run_rows(t, N, C, V); },
                         "rows, N " + std::to_string(N) + ", C " + std::to_string(C) + ", V " + std::to_string(V));
}

template <class R>
Outputs run_sums(const Table<R>& table, int64_t N, int64_t C, int64_t ldx) {
  const auto x = numbers<R>(N * ldx, 1);
  auto sums = numbers<R>(C, 2), y = numbers<R>(N * ldx, 3);
  table.column_sums({N, C, ldx, x.data(), sums.data()});
  table.axpy({N * ldx, R(-0.7f), x.data(), y.data()});
  Outputs out;
  put(out, "sums", sums), put(out, "y", y);
  return out;
}

TEST(ElementwiseKernels, SumsAgree) {
  for (const int64_t N : {0, 1, 100})
    for (const int64_t C : {1, 7, 16, 33, 300})
      for (const int64_t more : {0, 5})
        expect_agreement([&]<class R>(const Table<R>& t) { return run_sums(t, N, C, C + more); },
                         "sums, N " + std::to_string(N) + ", C " + std::to_string(C) + " + " + std::to_string(more));
}

template <class R>
Outputs run_dropout(const Table<R>& table, int64_t N, int64_t C, double p, int mode) {
  const auto x = numbers<R>(N * C, 1);
  auto y = numbers<R>(N * C, 2);
  std::vector<int32_t> row_of(count(N));
  for (int64_t n = 0; n < N; ++n) row_of[count(n)] = static_cast<int32_t>(n % 3 + (n == 4 ? 1000000000 : 0));
  table.dropout({N, C, p, Stream{42, (uint64_t{7} << 40) | 3}, mode & 1 ? row_of.data() : nullptr, x.data(), y.data(),
                 (mode & 2) != 0});
  Outputs out;
  put(out, "y", y);
  return out;
}

TEST(ElementwiseKernels, DropoutAgrees) {
  for (const int64_t N : {0, 1, 9})
    for (const int64_t C : {1, 2, 3, 7, 16, 33, 5000})
      for (const double p : {0.0, 0.3, 0.999, 1.0})
        for (const int mode : {0, 1, 2, 3})
          if (p < 1 || !(mode & 2))
            expect_agreement([&]<class R>(const Table<R>& t) { return run_dropout(t, N, C, p, mode); },
                             "dropout, N " + std::to_string(N) + ", C " + std::to_string(C) + ", p " +
                                 std::to_string(p) + ", mode " + std::to_string(mode));
}

// Not only close: the same elements are dropped, for every seed and place in the stream.
TEST(ElementwiseKernels, DropoutMaskIsThatOfTheReference) {
  for (uint64_t seed : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{0x123456789ABCDEF}})
    for (const uint64_t stream : {uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 33}) {
      const int64_t C = 257;
      // The last rows' counters pass 32 bits.
      const std::vector<int32_t> row_of = {0, 3, 66847740, 2147483647};
      const std::vector<float> x(count(4 * C), 1.0f);
      std::vector<float> got(x), want(x);
      cpu().dropout({4, C, 0.5, {seed, stream}, row_of.data(), x.data(), got.data(), false});
      ref<float>().dropout({4, C, 0.5, {seed, stream}, row_of.data(), x.data(), want.data(), false});
      EXPECT_EQ(got, want) << "seed " << seed << ", stream " << stream << ", ";
    }
}

TEST(ElementwiseKernels, DropoutRowDoesNotSeeItsBatch) {
  const int64_t C = 37;
  const auto x = numbers(9 * C, 1);
  std::vector<float> together(x.size());
  std::vector<int32_t> row_of = {4, 4, 0, 1, 8, 2, 3, 3, 5};
  cpu().dropout({9, C, 0.4, {1, 2}, row_of.data(), x.data(), together.data(), false});
  for (int64_t n = 0; n < 9; ++n) {
    std::vector<float> alone(count(C));
    cpu().dropout({1, C, 0.4, {1, 2}, row_of.data() + n, x.data() + n * C, alone.data(), false});
    EXPECT_EQ(alone, std::vector<float>(together.begin() + n * C, together.begin() + (n + 1) * C));
  }
}

template <class R>
Outputs run_layer_norm(const Table<R>& table, int64_t N, int64_t C, int wanted) {
  const auto x = numbers<R>(N * C, 1), gamma = numbers<R>(C, 2), beta = numbers<R>(C, 3), dy = numbers<R>(N * C, 4);
  auto dx = numbers<R>(N * C, 5), dgamma = numbers<R>(C, 6), dbeta = numbers<R>(C, 7);
  std::vector<R> y(x.size(), R{9}), mean(count(N)), inverse_std(mean);
  const LayerNorm<R> f{N, C, R(1e-2f), x.data(), gamma.data(), beta.data(), y.data(), mean.data(), inverse_std.data()};
  table.layer_norm(f);
  table.layer_norm_backward({f, dy.data(), wanted & 1 ? dx.data() : nullptr, wanted & 2 ? dgamma.data() : nullptr,
                             wanted & 4 ? dbeta.data() : nullptr});
  Outputs out;
  put(out, "y", y), put(out, "mean", mean), put(out, "inverse_std", inverse_std);
  put(out, "dx", dx), put(out, "dgamma", dgamma), put(out, "dbeta", dbeta);
  return out;
}

TEST(ElementwiseKernels, LayerNormAgrees) {
  for (const int64_t N : {0, 1, 6, 50})
    for (const int64_t C : {1, 2, 7, 16, 33, 130})
      for (const int wanted : {0, 1, 2, 4, 7})
        expect_agreement([&]<class R>(const Table<R>& t) { return run_layer_norm(t, N, C, wanted); },
                         "layer_norm, N " + std::to_string(N) + ", C " + std::to_string(C));
}

TEST(ElementwiseKernels, LayerNormRowDoesNotSeeItsBatch) {
  const int64_t N = 300, C = 37;
  const auto x = numbers(N * C, 1), gamma = numbers(C, 2), beta = numbers(C, 3);
  std::vector<float> y(x.size()), mean(count(N)), inverse_std(mean);
  cpu().layer_norm({N, C, 1e-5f, x.data(), gamma.data(), beta.data(), y.data(), mean.data(), inverse_std.data()});
  for (const int64_t n : {0, 1, 150, 299}) {
    std::vector<float> alone(count(C)), one(1), other(1);
    cpu().layer_norm(
        {1, C, 1e-5f, x.data() + n * C, gamma.data(), beta.data(), alone.data(), one.data(), other.data()});
    EXPECT_EQ(alone, std::vector<float>(y.begin() + n * C, y.begin() + (n + 1) * C));
  }
}

// A row of equal numbers has no spread; epsilon keeps it finite.
TEST(ElementwiseKernels, LayerNormOfAConstantRow) {
  const std::vector<float> x(19, 3.5f), gamma(19, 2.0f), beta(19, 0.25f);
  std::vector<float> y(19), mean(1), inverse_std(1);
  cpu().layer_norm({1, 19, 1e-5f, x.data(), gamma.data(), beta.data(), y.data(), mean.data(), inverse_std.data()});
  for (const float v : y) EXPECT_NEAR(v, 0.25f, 1e-3f);
}

}  // namespace
}  // namespace lookback::kernels
