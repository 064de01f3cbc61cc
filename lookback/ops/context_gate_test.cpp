#include "lookback/ops/context_gate.h"

#include <cmath>

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::Inputs;
using testing::random_param;
using testing::uneven;

TEST(ContextGate, MulRows) {
  check_op({random_param({4, 3}, 1), random_param({4, 1}, 2)},
           [](const Inputs& in) { return uneven(ops::mul_rows(in[0], in[1])); });
  const Var x(Tensor::of<float>({2, 2}, {1, 2, 3, 4})), f(Tensor::of<float>({2, 1}, {10, -1}));
  const Tensor y = ops::mul_rows(x, f).value();
  EXPECT_EQ(std::vector<float>(y.span<float>().begin(), y.span<float>().end()), (std::vector<float>{10, 20, -3, -4}));
  EXPECT_THROW(ops::mul_rows(x, Var(Tensor::zeros({1, 2}))), ShapeError);
}

TEST(ContextGate, LogSumExpOverWhatEachRowSees) {
  const ops::Visible whole{MemoryLayout(std::vector<int64_t>{3, 1, 2}), ops::row_ids({0, 1, 2, 0})};
  const ops::Visible part{whole.memory, whole.sentence_of_row, ops::row_ids({1, 0, 0, 2}), ops::row_ids({3, 1, 1, 3})};
  for (const ops::Visible& visible : {whole, part})
    check_op({random_param({4, visible.T()}, 1)},
             [&](const Inputs& in) { return uneven(ops::log_sum_exp(in[0], visible)); });
  const Var e(Tensor::of<float>({1, 3}, {100, 100, -7}));
  const ops::Visible two{MemoryLayout(std::vector<int64_t>{3}), ops::row_ids({0}), ops::row_ids({0}),
                         ops::row_ids({2})};
  const Var two_columns(Tensor::of<float>({1, 2}, {100, 100}));
  EXPECT_NEAR(ops::log_sum_exp(two_columns, two).value().data<float>()[0], 100 + std::log(2.0), 1e-5);
  const ops::Visible none{MemoryLayout(std::vector<int64_t>{0, 1}), ops::row_ids({0})};
  EXPECT_EQ(ops::log_sum_exp(Var(Tensor::zeros({1, 1})), none).value().data<float>()[0], -1e30F);
  EXPECT_THROW(ops::log_sum_exp(e, two), ShapeError);
}

TEST(ContextGate, DoublyStochasticLoss) {
  // Two sequences, of three and two rows, that look at 3 and 2 positions.
  const std::vector<int32_t> of{0, 1, 0, 1, 0};
  const std::vector<int64_t> lengths{3, 2};
  check_op({random_param({5, 3}, 1)},
           [&](const Inputs& in) { return ops::doubly_stochastic_loss(in[0], of, lengths); });
  const Var w(Tensor::of<float>({2, 2}, {0.5F, 0.5F, 0.25F, 0.75F}));
  // sums 0.75 and 1.25
  EXPECT_FLOAT_EQ(ops::doubly_stochastic_loss(w, {0, 0}, {2}).value().data<float>()[0], 0.125F);
  EXPECT_THROW(ops::doubly_stochastic_loss(w, {0}, {2}), ShapeError);
  EXPECT_THROW(ops::doubly_stochastic_loss(w, {0, 1}, {2}), ShapeError);
  EXPECT_THROW(ops::doubly_stochastic_loss(w, {0, 0}, {3}), ShapeError);
}

}  // namespace
}  // namespace lookback
