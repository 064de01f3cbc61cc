// Windows of skip-gram against the reference.
#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

size_t count(int64_t n) { return static_cast<size_t>(n); }

// Few rows, so that windows share them and have some of them twice.
struct Case {
  int64_t W, T;
  std::vector<int64_t> sizes;  // inputs of each window
  int64_t rows = 12;
};

template <class R>
Outputs run_skip_gram(const Table<R>& table, const Case& c) {
  auto in = numbers<R>(c.rows * c.W, 1), out = numbers<R>(c.rows * c.W, 2);
  std::vector<int64_t> begin{5};  // the inputs of a block are some of a longer list
  for (const int64_t n : c.sizes) begin.push_back(begin.back() + n);
  const auto N = std::ssize(c.sizes);
  Rng rng(4);
  const auto ids = [&](int64_t n) {
    std::vector<int32_t> some(count(n));
    for (int32_t& id : some) id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(c.rows)));
    return some;
  };
  const auto inputs = ids(begin.back()), outputs = ids(N * c.T);
  std::vector<R> errors(count((begin.back() - 5) * c.T));
  table.skip_gram({.N = N,
                   .T = c.T,
                   .W = c.W,
                   .begin = begin.data(),
                   .inputs = inputs.data(),
                   .outputs = outputs.data(),
                   .rate = R(0.015625f),  // small enough that what rounding changes does not grow from window to window
                   .in = in.data(),
                   .out = out.data(),
                   .errors = errors.data()});
  Outputs all;
  put(all, "in", in), put(all, "out", out), put(all, "errors", errors);
  return all;
}

TEST(SkipGramKernels, Agree) {
  for (const int64_t W : {16, 48, 64, 112, 304})
    for (const int64_t T : {1, 2, 3, 6, 9, 17})
      for (const std::vector<int64_t>& sizes :
           {std::vector<int64_t>{}, {1}, {0, 3}, {6, 1, 10, 2, 7}, std::vector<int64_t>(37, 3)})
        expect_agreement(
            [&]<class R>(const Table<R>& t) {
              return run_skip_gram(t, {W, T, sizes});
            },
            "skip_gram, W " + std::to_string(W) + ", T " + std::to_string(T) + ", windows " +
                std::to_string(sizes.size()));
}

TEST(SkipGramKernels, TheLargestWindowAgrees) {
  const Case largest{.W = 16,
                     .T = SkipGram<float>::kMostTargets,
                     .sizes = {SkipGram<float>::kMostInputs, 1, SkipGram<float>::kMostInputs},
                     .rows = 4000};
  expect_agreement([&]<class R>(const Table<R>& t) { return run_skip_gram(t, largest); }, "skip_gram, largest");
}

}  // namespace
}  // namespace lookback::kernels
