#include "lookback/base/parallel.h"
#include "lookback/ops/recurrent_testing.h"

namespace lookback {
namespace {

using ops::Direction;
using testing::Case;
using testing::cases;
using testing::check_op;
using testing::distance;
using testing::gradients_of;
using testing::Inputs;
using testing::inputs_of;
using testing::kDirections;
using testing::random_param;
using testing::random_tensor;
using testing::state_of;
using testing::stepped;
using testing::uneven;
using testing::weights_of;

using Run = std::function<ops::RecurrentOut(const Inputs&)>;

// Through every output alone, and through all of them.
void check_all(const Inputs& in, const Run& run) {
  const bool has_c = static_cast<bool>(run(in).last_c);
  check_op(in, [&](const Inputs& x) { return uneven(run(x).h); });
  check_op(in, [&](const Inputs& x) { return uneven(run(x).last_h); });
  if (has_c) check_op(in, [&](const Inputs& x) { return uneven(run(x).last_c); });
  check_op(in, [&](const Inputs& x) {
    const auto out = run(x);
    const Var both = ops::add(uneven(out.h, 21), uneven(out.last_h, 22));
    return has_c ? ops::add(both, uneven(out.last_c, 23)) : both;
  });
}

TEST(Lstm, Gradients) {
  for (const Case& c : cases())
    for (const Direction d : kDirections)
      for (const int64_t states : {0, 2}) {
        SCOPED_TRACE(str_cat("B ", c.lengths.size(), " T ", c.lengths[0], " states ", states, " direction ",
                             static_cast<int>(d)));
        const Steps steps(c.lengths);
        check_all(inputs_of(c, 4, states), [&](const Inputs& x) {
          return ops::lstm(x[0], steps, weights_of(x), {.direction = d}, state_of(x));
        });
      }
}

TEST(Gru, Gradients) {
  for (const Case& c : cases())
    for (const Direction d : kDirections)
      for (const int64_t states : {0, 1}) {
        SCOPED_TRACE(str_cat("B ", c.lengths.size(), " T ", c.lengths[0], " states ", states, " direction ",
                             static_cast<int>(d)));
        const Steps steps(c.lengths);
        check_all(inputs_of(c, 3, states),
                  [&](const Inputs& x) { return ops::gru(x[0], steps, weights_of(x), {.direction = d}, state_of(x)); });
      }
}

TEST(Lstm, OneInitialStateAlone) {
  const Case c{{3, 1}, 2, 3};
  const Steps steps(c.lengths);
  check_op(inputs_of(c, 4, 1),
           [&](const Inputs& x) { return uneven(ops::lstm(x[0], steps, weights_of(x), {}, {.h = x[5]}).h); });
  check_op(inputs_of(c, 4, 1), [&](const Inputs& x) {
    return uneven(ops::lstm(x[0], steps, weights_of(x), {.direction = Direction::reverse}, {.c = x[5]}).h);
  });
}

TEST(LstmCell, Gradients) {
  for (const auto& [N, H] : {std::pair<int64_t, int64_t>{1, 1}, {1, 5}, {4, 1}, {3, 17}}) {
    const Inputs in = {random_param({N, 4 * H}, 1), random_param({N, H}, 2)};
    check_op(in, [](const Inputs& x) { return uneven(ops::lstm_cell(x[0], x[1]).h); });
    check_op(in, [](const Inputs& x) { return uneven(ops::lstm_cell(x[0], x[1]).c); });
    check_op(in, [](const Inputs& x) {
      const auto out = ops::lstm_cell(x[0], x[1]);
      return ops::add(uneven(out.h, 1), uneven(out.c, 2));
    });
  }
  EXPECT_THROW(ops::lstm_cell(random_param({2, 8}, 1), random_param({3, 2}, 2)), ShapeError);
}

TEST(GruCell, Gradients) {
  for (const auto& [N, H] : {std::pair<int64_t, int64_t>{1, 1}, {1, 5}, {4, 1}, {3, 17}})
    check_op({random_param({N, 3 * H}, 1), random_param({N, 3 * H}, 2), random_param({N, H}, 3)},
             [](const Inputs& x) { return uneven(ops::gru_cell(x[0], x[1], x[2])); });
  EXPECT_THROW(ops::gru_cell(random_param({2, 6}, 1), random_param({2, 9}, 1), random_param({2, 2}, 2)), ShapeError);
}

void compare_to_cells(const Case& c, Direction d, bool gru, int64_t states) {
  SCOPED_TRACE(str_cat("gru ", gru, " B ", c.lengths.size(), " T ", c.lengths[0], " states ", states));
  const Steps steps(c.lengths);
  const Inputs in = inputs_of(c, gru ? 3 : 4, states);
  const Run whole = [&](const Inputs& x) {
    return (gru ? &ops::gru : &ops::lstm)(x[0], steps, weights_of(x), {.direction = d}, state_of(x));
  };
  const auto loss = [](const auto& out, bool with_c) {
    const Var sum = ops::add(uneven(out.h, 31), uneven(out.last_h, 32));
    return with_c ? ops::add(sum, uneven(out.last_c, 33)) : sum;
  };
  const auto a = whole(in);
  const auto b = stepped(in, c.lengths, d, gru);
  EXPECT_LT(distance(a.h.value(), b.h.value()), 1e-14);
  EXPECT_LT(distance(a.last_h.value(), b.last_h.value()), 1e-14);
  if (!gru) {
    EXPECT_LT(distance(a.last_c.value(), b.last_c.value()), 1e-14);
  }
  const auto ga = gradients_of(in, [&](const Inputs& x) { return loss(whole(x), !gru); });
  const auto gb = gradients_of(in, [&](const Inputs& x) { return loss(stepped(x, c.lengths, d, gru), !gru); });
  for (size_t k = 0; k < ga.size(); ++k) EXPECT_LT(distance(ga[k], gb[k]), 1e-13) << "input " << k;
}

TEST(Composed, WholeSequencesEqualCells) {
  for (const Case& c : cases())
    for (const Direction d : kDirections) {
      compare_to_cells(c, d, false, 0), compare_to_cells(c, d, false, 2);
      compare_to_cells(c, d, true, 0), compare_to_cells(c, d, true, 1);
    }
}

TEST(Recurrent, FastKernelsAgreeOnWiderShapes) {
  const Case c{{13, 11, 11, 6, 5, 1, 0}, 24, 40};
  const Steps steps(c.lengths);
  for (const Direction d : kDirections)
    for (const bool gru : {false, true}) {
      Inputs in = inputs_of(c, gru ? 3 : 4, gru ? 1 : 2);
      for (size_t k : {1, 2})
        for (double& v : in[k].value().span<double>()) v = static_cast<float>(0.2 * v);
      const testing::Loss loss = [&](const Inputs& x) {
        const auto out = (gru ? &ops::gru : &ops::lstm)(x[0], steps, weights_of(x), {.direction = d}, state_of(x));
        return ops::add(uneven(out.h, 1), uneven(out.last_h, 2));
      };
      const auto want = gradients_of(in, loss), got = gradients_of(testing::as_f32(in), loss);
      for (size_t k = 0; k < want.size(); ++k) EXPECT_LT(distance(got[k], want[k]), 1e-5) << k;
    }
}

TEST(Recurrent, NothingButEmptySequences) {
  const Case c{{0, 0}, 2, 3};
  const Steps steps(c.lengths);
  for (const Inputs& in : {inputs_of(c, 4, 2), testing::as_f32(inputs_of(c, 4, 2))}) {
    const auto out = ops::lstm(in[0], steps, weights_of(in), {}, state_of(in));
    EXPECT_EQ(distance(out.last_h.value(), in[5].value()), 0);
    EXPECT_EQ(distance(out.last_c.value(), in[6].value()), 0);
    backward(ops::add(uneven(out.last_h, 1), uneven(out.last_c, 2)));
    EXPECT_LT(distance(in[5].grad(), random_tensor({2, 3}, 1)), 1e-7);
    EXPECT_LT(distance(in[6].grad(), random_tensor({2, 3}, 2)), 1e-7);
    EXPECT_EQ(distance(in[2].grad(), Tensor::zeros({12, 3})), 0);
  }
}

TEST(Recurrent, ARowDoesNotDependOnItsCompany) {
  // Forward states of a sequence alone are those of the same sequence in a batch, bit for bit, in the fast kernels.
  const Case c{{7, 5, 5, 2}, 12, 20};
  const Steps steps(c.lengths);
  for (const Direction d : kDirections)
    for (const bool gru : {false, true}) {
      const Inputs in = testing::as_f32(inputs_of(c, gru ? 3 : 4, 0));
      const auto run = gru ? &ops::gru : &ops::lstm;
      const Tensor all = run(in[0], steps, weights_of(in), {.direction = d}, {}).h.value();
      for (int64_t b = 0; b < 4; ++b) {
        std::vector<int32_t> rows;
        for (int64_t t = 0; t < c.lengths[static_cast<size_t>(b)]; ++t)
          rows.push_back(static_cast<int32_t>(steps.row(t, b)));
        const auto ids = ops::row_ids(rows);
        const auto alone = run(ops::gather_rows(in[0], ids), Steps::dense(static_cast<int64_t>(rows.size()), 1),
                               weights_of(in), {.direction = d}, {});
        EXPECT_TRUE(testing::same_bits(alone.h.value(), ops::gather_rows(Var(all), ids).value())) << b;
      }
    }
}

TEST(Recurrent, PartsOfTheInputGiveTheBitsOfTheInput) {
  const std::vector<int64_t> lengths = {5, 3, 3, 1};
  const Steps steps(lengths);
  const auto rows = ops::row_ids({0, 2, 2, 1, 0, 0, 1, 2, 0, 1, 2, 2});
  for (const int64_t gates : {3, 4})
    for (const Direction d : kDirections)
      for (const int threads : {1, 2, 3}) {
        const ThreadScope scope(threads);
        const Inputs in = testing::as_f32(inputs_of({lengths, 3, 9}, gates, gates - 2));
        const Var distinct = ops::slice_rows(in[0], 0, 3), x = ops::gather_rows(distinct, rows);
        const auto w = weights_of(in);
        const ops::RecurrentOptions o{.direction = d};
        const bool gru = gates == 3;
        const Var part = gru ? ops::gru_input_part(distinct, w) : ops::lstm_input_part(distinct, w);
        const auto from_parts = gru ? &ops::gru_from_parts : &ops::lstm_from_parts;
        const ops::LayerOfParts layer{{part, rows}, w, d, state_of(in)};
        const auto b = gru ? ops::gru(x, steps, w, o, state_of(in)) : ops::lstm(x, steps, w, o, state_of(in));
        for (const ops::RecurrentOut& a : from_parts({layer, layer}, steps)) {
          EXPECT_TRUE(testing::same_bits(a.h.value(), b.h.value()));
          EXPECT_TRUE(testing::same_bits(a.last_h.value(), b.last_h.value()));
          EXPECT_TRUE(gru || testing::same_bits(a.last_c.value(), b.last_c.value()));
        }
        const auto wrong = ops::row_ids(std::vector<int32_t>(12, 3));
        EXPECT_THROW(from_parts({layer, {{part, wrong}, w}}, steps), ShapeError);
      }
}

// Two directions as one op and as two, for any number of threads: the same bits of states and gradients.
TEST(Recurrent, LayersSideBySideAreThoseAlone) {
  const Case c{{5, 3, 3, 1}, 3, 9};
  const Steps steps(c.lengths);
  for (const bool gru : {false, true})
    for (const int64_t checkpoint : {0, 2}) {
      Inputs in = testing::as_f32(inputs_of(c, gru ? 3 : 4, 0));
      const int64_t G = in[1].dim(0);
      for (const Shape& shape : {Shape{G, c.I}, Shape{G, c.H}, Shape{G}, Shape{G}})
        in.push_back(Var::parameter(random_tensor(shape, 20 + in.size()).to(Dtype::f32)));
      const auto layers = [&](const Inputs& x) {
        return std::vector<ops::RecurrentLayer>{
            {{x[1], x[2], x[3], x[4]}, {.checkpoint = checkpoint}},
            {{x[5], x[6], x[7], x[8]}, {.direction = Direction::reverse, .checkpoint = checkpoint}}};
      };
      const auto loss = [](const std::vector<ops::RecurrentOut>& out) {
        return ops::add(ops::add(uneven(out[0].h, 21), uneven(out[1].h, 22)), uneven(out[1].last_h, 23));
      };
      const auto want = gradients_of(in, [&](const Inputs& x) {
        std::vector<ops::RecurrentOut> out;
        for (const auto& layer : layers(x))
          out.push_back((gru ? ops::gru : ops::lstm)(x[0], steps, layer.w, layer.options, layer.initial));
        return loss(out);
      });
      for (const int threads : {1, 2, 3}) {
        const ThreadScope scope(threads);
        const auto got = gradients_of(in, [&](const Inputs& x) {
          return loss((gru ? ops::gru_layers : ops::lstm_layers)(x[0], steps, layers(x)));
        });
        for (size_t k = 0; k < want.size(); ++k)
          EXPECT_TRUE(testing::same_bits(got[k], want[k])) << k << ' ' << threads;
      }
    }
}

TEST(Recurrent, WhatDoesNotFitIsRefused) {
  const Case c{{3, 1}, 2, 3};
  const Steps steps(c.lengths);
  for (size_t k = 0; k < 7; ++k) {
    Inputs in = inputs_of(c, 4, 2);
    in[k] = random_param({7}, 1);
    EXPECT_THROW(ops::lstm(in[0], steps, weights_of(in), {}, state_of(in)), ShapeError) << k;
  }
  const Inputs gru = inputs_of(c, 3, 2);
  EXPECT_THROW(ops::gru(gru[0], steps, weights_of(gru), {}, state_of(gru)), ShapeError);
}

}  // namespace
}  // namespace lookback
