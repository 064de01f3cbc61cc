// Gradient checkpointing and truncated backpropagation through time.
#include "lookback/base/parallel.h"
#include "lookback/ops/precision.h"
#include "lookback/ops/recurrent_testing.h"

namespace lookback {
namespace {

using ops::Direction;
using ops::RecurrentOptions;
using testing::Case;
using testing::cases;
using testing::check_op;
using testing::distance;
using testing::Inputs;
using testing::inputs_of;
using testing::kDirections;
using testing::same_bits;
using testing::state_of;
using testing::stepped;
using testing::uneven;
using testing::weights_of;

const Case kWide{{13, 11, 11, 6, 5, 1, 0}, 24, 40};
const Case kLong{{200, 150, 3}, 24, 40};

ops::RecurrentOut run(const Inputs& x, const Case& c, bool gru, const RecurrentOptions& o) {
  return (gru ? &ops::gru : &ops::lstm)(x[0], Steps(c.lengths), weights_of(x), o, state_of(x));
}

Var loss_of(const ops::RecurrentOut& out) {
  const Var sum = ops::add(uneven(out.h, 31), uneven(out.last_h, 32));
  return out.last_c ? ops::add(sum, uneven(out.last_c, 33)) : sum;
}

// Everything a layer gives: outputs, last states, gradients of every input.
std::vector<Tensor> results(const Inputs& in, const Case& c, bool gru, const RecurrentOptions& o) {
  for (const Var& x : in) x.clear_grad();
  const auto out = run(in, c, gru, o);
  std::vector<Tensor> all = {out.h.value().clone(), out.last_h.value().clone()};
  if (out.last_c) all.push_back(out.last_c.value().clone());
  backward(loss_of(out));
  for (const Var& x : in) all.push_back(x.grad().clone());
  return all;
}

void expect_same(const std::vector<Tensor>& got, const std::vector<Tensor>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < want.size(); ++k) EXPECT_TRUE(same_bits(got[k], want[k])) << "result " << k;
}

// Calls f for every layer: LSTM and GRU, both directions, with and without initial states, in double and in float.
void each_layer(const Case& c, const std::function<void(const Inputs&, bool gru, Direction)>& f) {
  for (const bool gru : {false, true})
    for (const Direction d : kDirections)
      for (const bool initial : {false, true}) {
        SCOPED_TRACE(str_cat("gru ", gru, " reverse ", d == Direction::reverse, " initial ", initial, " B ",
                             c.lengths.size(), " T ", c.lengths[0]));
        const Inputs in = inputs_of(c, gru ? 3 : 4, initial ? gru ? 1 : 2 : 0);
        f(in, gru, d), f(testing::as_f32(in), gru, d);
      }
}

TEST(Checkpoint, ChangesNoBit) {
  auto all = cases();
  all.push_back(kWide);
  for (const Case& c : all)
    each_layer(c, [&](const Inputs& in, bool gru, Direction d) {
      const auto want = results(in, c, gru, {.direction = d});
      for (const int64_t every : {1, 2, 3, 5, 1000}) {
        SCOPED_TRACE(every);
        expect_same(results(in, c, gru, {.direction = d, .checkpoint = every}), want);
      }
    });
}

TEST(Checkpoint, ChangesNoBitOfLongSequencesAtAnyPrecisionOnAnyThreads) {
  each_layer(kLong, [&](const Inputs& in, bool gru, Direction d) {
    if (in[0].dtype() == Dtype::f64) return;
    for (const Precision p : {Precision::f32, Precision::bf16}) {
      const PrecisionScope scope(p);
      for (const Var& w : {in[1], in[2]}) w.touch();
      const auto want = results(in, kLong, gru, {.direction = d});
      for (const int threads : {1, 2})
        for (const int64_t every : {14, 64, 150}) {
          const ThreadScope on(threads);
          SCOPED_TRACE(str_cat(threads, " threads, every ", every));
          expect_same(results(in, kLong, gru, {.direction = d, .checkpoint = every}), want);
        }
    }
  });
}

TEST(Checkpoint, GradientsAddUpAndConstantsGetNone) {
  Inputs in = testing::as_f32(inputs_of(kWide, 4, 2));
  const auto once = results(in, kWide, false, {.checkpoint = 4});
  backward(loss_of(run(in, kWide, false, {.checkpoint = 4})));
  for (size_t k = 0; k < in.size(); ++k) {
    const Tensor twice = in[k].grad();
    for (int64_t i = 0; i < twice.size(); ++i)
      EXPECT_NEAR(twice.data<float>()[i], 2 * once[3 + k].data<float>()[i], 1e-4) << k;
  }
  for (size_t k : {0, 2, 5}) in[k] = Var(in[k].value());
  backward(loss_of(run(in, kWide, false, {.checkpoint = 4})));
  EXPECT_TRUE(in[0].grad().empty() && in[2].grad().empty() && in[5].grad().empty());
}

int64_t bytes_held(const RecurrentOptions& o, bool gru) {
  const Case c{{400, 400}, 16, 32};
  const Inputs in = testing::as_f32(inputs_of(c, gru ? 3 : 4, 0));
  run(in, c, gru, o);  // packs the weights
  const int64_t before = pool_stats().bytes_in_use;
  const auto out = run(in, c, gru, o);
  return pool_stats().bytes_in_use - before;
}

TEST(Checkpoint, KeepsLess) {
  for (const bool gru : {false, true}) {
    const int64_t states = 800 * 32 * 4;
    EXPECT_GT(bytes_held({}, gru), 5 * states);
    EXPECT_LT(bytes_held({.checkpoint = 20}, gru), states + states / 2) << "h, and the states of 20 steps";
  }
}

TEST(Bptt, IsWhatCellsWithConstantStatesGive) {
  for (const Case& c : cases())
    each_layer(c, [&](const Inputs& in, bool gru, Direction d) {
      if (in[0].dtype() == Dtype::f32) return;
      for (const int64_t bptt : {1, 2, 3}) {
        SCOPED_TRACE(bptt);
        const auto got = testing::gradients_of(
            in, [&](const Inputs& x) { return loss_of(run(x, c, gru, {.direction = d, .bptt = bptt})); });
        const auto want = testing::gradients_of(in, [&](const Inputs& x) {
          const auto out = stepped(x, c.lengths, d, gru, bptt);
          return loss_of({out.h, out.last_h, gru ? Var() : out.last_c});
        });
        for (size_t k = 0; k < want.size(); ++k) EXPECT_LT(distance(got[k], want[k]), 1e-13) << "input " << k;
      }
    });
}

TEST(Bptt, ChangesNoStateAndCutsTheGradient) {
  each_layer(kWide, [&](const Inputs& in, bool gru, Direction d) {
    const auto whole = results(in, kWide, gru, {.direction = d});
    for (const int64_t bptt : {1, 4, 11}) {
      const auto cut = results(in, kWide, gru, {.direction = d, .bptt = bptt});
      EXPECT_TRUE(same_bits(cut[0], whole[0]) && same_bits(cut[1], whole[1])) << bptt;
      EXPECT_FALSE(same_bits(cut[gru ? 4 : 5], whole[gru ? 4 : 5])) << "w_hh, " << bptt;
    }
    expect_same(results(in, kWide, gru, {.direction = d, .bptt = 13}), whole);
  });
}

TEST(Bptt, GoesWithCheckpointing) {
  each_layer(kWide, [&](const Inputs& in, bool gru, Direction d) {
    for (const int64_t bptt : {1, 4, 6}) {
      const auto want = results(in, kWide, gru, {.direction = d, .bptt = bptt});
      for (const int64_t every : {1, 3, 4, 5})
        expect_same(results(in, kWide, gru, {.direction = d, .checkpoint = every, .bptt = bptt}), want);
    }
  });
}

TEST(Bptt, ASequenceIsCutWhereItIsCutAlone) {
  for (const bool gru : {false, true})
    for (const Direction d : kDirections) {
      const Inputs in = testing::as_f32(inputs_of(kWide, gru ? 3 : 4, 0));
      const Steps steps(kWide.lengths);
      const RecurrentOptions o{.direction = d, .bptt = 4};
      const Tensor weights = testing::random_tensor({steps.N(), kWide.H}, 31).to(Dtype::f32);
      in[0].clear_grad();
      backward(ops::weighted_sum(run(in, kWide, gru, o).h, weights));
      const Tensor all = in[0].grad().clone();
      for (int64_t b = 0; b < 6; ++b) {
        std::vector<int32_t> rows;
        for (int64_t t = 0; t < kWide.lengths[static_cast<size_t>(b)]; ++t)
          rows.push_back(static_cast<int32_t>(steps.row(t, b)));
        const auto pick = [&](const Tensor& t) { return ops::gather_rows(Var(t), ops::row_ids(rows)).value(); };
        Inputs alone = in;
        alone[0] = Var::parameter(pick(in[0].value()));
        backward(ops::weighted_sum(run(alone, {{std::ssize(rows)}, kWide.I, kWide.H}, gru, o).h, pick(weights)));
        EXPECT_TRUE(same_bits(alone[0].grad(), pick(all))) << b;
      }
    }
}

}  // namespace
}  // namespace lookback
