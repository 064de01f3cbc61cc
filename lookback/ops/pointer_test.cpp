#include "lookback/ops/pointer.h"

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::Inputs;
using testing::random_param;

// Five rows over sentences of 3, 1, 0 and 4 positions.
ops::Visible visible() { return {MemoryLayout(std::vector<int64_t>{3, 1, 0, 4}), ops::row_ids({0, 3, 1, 0, 3})}; }

TEST(PointerXent, GradientsAndValues) {
  const std::vector<int32_t> targets = {2, 0, 0, 1, 3};
  const Inputs in = {random_param({5, 4}, 1)};
  check_op(in, [&](const Inputs& x) { return ops::pointer_xent(x[0], visible(), targets, 0.7).loss; });
  const auto out = ops::pointer_xent(in[0], visible(), targets, 0.7);
  const std::vector<int64_t> spans = {3, 4, 1, 3, 4};
  double nll = 0;
  for (size_t n = 0; n < 5; ++n) {
    double sum = 0;
    const double* x = in[0].value().data<double>() + 4 * n;
    for (int64_t t = 0; t < spans[n]; ++t) sum += std::exp(x[t]);
    nll += std::log(sum) - x[targets[n]];
    EXPECT_EQ(out.is_correct[n], std::max_element(x, x + spans[n]) - x == targets[n]);
  }
  EXPECT_NEAR(out.nll_sum, nll, 1e-12);
  EXPECT_NEAR(out.loss.value().data<double>()[0], 0.7 * nll, 1e-12);
}

TEST(PointerXent, OnlyTheRowsOwnBoundsCount) {
  ops::Visible some = visible();
  some.begin = ops::row_ids({1, 0, 0, 0, 2}), some.end = ops::row_ids({3, 2, 1, 1, 4});
  const std::vector<int32_t> targets = {1, 0, 0, 0, 1};
  check_op({random_param({5, 2}, 1)}, [&](const Inputs& x) { return ops::pointer_xent(x[0], some, targets).loss; });
}

TEST(PointerXent, RefusesATargetBehindTheSpan) {
  EXPECT_THROW(ops::pointer_xent(random_param({5, 4}, 1), visible(), {2, 0, 1, 1, 3}), ShapeError);
  EXPECT_THROW(ops::pointer_xent(random_param({5, 3}, 1), visible(), {2, 0, 0, 1, 3}), ShapeError);
}

TEST(SpanMax, GradientsAndValues) {
  ops::Visible with_empty = visible();
  with_empty.sentence_of_row = ops::row_ids({0, 2, 3});
  const Inputs in = {random_param({3, 4}, 2)};
  check_op(in, [&](const Inputs& x) { return testing::uneven(ops::span_max(x[0], with_empty)); });
  const Tensor out = ops::span_max(in[0], with_empty).value();
  const double* x = in[0].value().data<double>();
  EXPECT_EQ(out.data<double>()[0], *std::max_element(x, x + 3));
  EXPECT_EQ(out.data<double>()[1], 0);
  EXPECT_EQ(out.data<double>()[2], *std::max_element(x + 8, x + 12));
}

}  // namespace
}  // namespace lookback
