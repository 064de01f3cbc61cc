#include "lookback/ops/attentive_lstm.h"

#include "lookback/base/parallel.h"
#include "lookback/ops/linear.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::Inputs;
using testing::random_param;
using Order = ops::AttentiveLstm::Order;

// One kind of decoder over one ragged batch.
struct Case {
  Order order = Order::luong;
  bool feeding = true, additive = false;
  double dropout = 0;
  std::vector<int64_t> source = {3, 1, 2}, target = {4, 2, 1};
  std::vector<int32_t> sentence_of_row = {2, 0, 1};
  int64_t E = 3, H = 4, M = 5, R = 3;

  int64_t A() const { return H; }
  bool luong() const { return order == Order::luong; }
  int64_t B() const { return static_cast<int64_t>(target.size()); }
  Steps steps() const { return Steps(target); }
  ops::Visible visible() const { return {MemoryLayout(source), ops::row_ids(sentence_of_row)}; }

  Inputs inputs() const {
    const int64_t S = visible().memory.rows(), context_columns = luong() ? 0 : M;
    Inputs in;
    uint64_t seed = 1;
    for (const Shape& s : {Shape{steps().N(), E}, Shape{4 * H, E + (feeding ? R : 0) + context_columns},
                           Shape{4 * H, H}, Shape{4 * H}, Shape{4 * H}, Shape{B(), H}, Shape{B(), H}, Shape{S, A()},
                           Shape{S, M}, Shape{R, M + H + (luong() ? 0 : E)}, Shape{R}})
      in.push_back(random_param(s, seed++));
    if (additive) in.push_back(random_param({A(), H + 2}, seed++)), in.push_back(random_param({A()}, seed++));
    return in;
  }

  ops::AttentiveLstm decoder(const Inputs& in) const {
    ops::AttentiveLstm d{.order = order,
                         .input_feeding = feeding,
                         .cell = {in[1], in[2], in[3], in[4]},
                         .score = {.scale = 0.7},
                         .w_readout = in[9],
                         .b_readout = in[10],
                         .dropout = {.rate = dropout}};
    if (additive) d.score.w_query = in[11], d.score.v = in[12];
    for (int64_t t = 0; t < steps().T(); ++t) d.dropout.streams.push_back({5, static_cast<uint64_t>(t)});
    return d;
  }

  ops::AttendedSteps fused(const Inputs& in) const {
    return ops::attentive_lstm(decoder(in), in[0], steps(), {in[5], in[6]}, {in[7], in[8], visible()});
  }

  ops::Attended attend(const ops::AttentiveLstm& d, const Inputs& in, const Var& state, int64_t alive) const {
    const ops::Visible here{visible().memory, ops::row_ids({sentence_of_row.begin(), sentence_of_row.begin() + alive})};
    const Var q = additive ? ops::linear(state, d.score.w_query, {.columns = {{0, H}}}) : state;
    const Var e = additive ? ops::score_additive(q, in[7], d.score.v, here) : ops::score_dot(q, in[7], here, 0.7);
    return ops::attend(e, in[8], here);
  }

  // The same from the ops of one step.
  ops::AttendedSteps composed(const Inputs& in) const {
    const ops::AttentiveLstm d = decoder(in);
    const Steps s = steps();
    Var h = in[5], c = in[6], feed = Var(Tensor::zeros({B(), R}, in[0].dtype()));
    std::vector<Var> readouts, weights;
    for (int64_t t = 0; t < s.T(); ++t) {
      const int64_t alive = s.alive(t), fed = E + (feeding ? R : 0);
      const Var x = ops::slice_rows(in[0], s.begin(t), s.begin(t + 1));
      h = ops::slice_rows(h, 0, alive), c = ops::slice_rows(c, 0, alive), feed = ops::slice_rows(feed, 0, alive);
      Var gates = ops::linear(x, d.cell.w_ih, {.bias = d.cell.b_ih, .columns = {{0, E}}});
      if (feeding) gates = ops::linear(feed, d.cell.w_ih, {.addend = gates, .columns = {{E, fed}}});
      ops::Attended attended;
      if (!luong()) {
        attended = attend(d, in, h, alive);
        gates = ops::linear(attended.context, d.cell.w_ih, {.addend = gates, .columns = {{fed, fed + M}}});
      }
      const auto cell = ops::lstm_cell(ops::linear(h, d.cell.w_hh, {.bias = d.cell.b_hh, .addend = gates}), c);
      h = cell.h, c = cell.c;
      if (luong()) attended = attend(d, in, h, alive);
      Var r = ops::linear(attended.context, d.w_readout, {.bias = d.b_readout, .columns = {{0, M}}});
      r = ops::linear(h, d.w_readout, {.addend = r, .columns = {{M, M + H}}});
      if (!luong()) r = ops::linear(x, d.w_readout, {.addend = r, .columns = {{M + H, M + H + E}}});
      feed = ops::dropout(ops::tanh(r), dropout, {5, static_cast<uint64_t>(t)});
      readouts.push_back(feed), weights.push_back(attended.weights);
    }
    return {ops::concat_rows(readouts), ops::concat_rows(weights)};
  }
};

Var uneven(const ops::AttendedSteps& steps) {
  return ops::add(testing::uneven(steps.readouts, 21), testing::uneven(steps.weights, 22));
}

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const Order order : {Order::luong, Order::bahdanau})
    for (const bool feeding : {true, false})
      for (const bool additive : {true, false}) {
        Case c{.order = order, .feeding = feeding, .additive = additive};
        out.push_back(c);
        c.dropout = 0.4;
        out.push_back(c);
        c = {.order = order,
             .feeding = feeding,
             .additive = additive,
             .source = {2},
             .target = {1},
             .sentence_of_row = {0}};
        out.push_back(c);  // B = 1, U = 1
        c.target = {3, 3}, c.sentence_of_row = {0, 0}, c.E = c.H = c.M = c.R = 1;
        out.push_back(c);  // two sequences look at one sentence; all widths 1
        c = {.order = order,
             .feeding = feeding,
             .additive = additive,
             .source = {2, 0},
             .target = {2, 2},
             .sentence_of_row = {0, 1}};
        out.push_back(c);  // nothing to look at
      }
  return out;
}

TEST(AttentiveLstm, HasTheGradientsOfDifferences) {
  for (const Case& c : cases()) {
    testing::check_op(c.inputs(), [&](const Inputs& in) { return uneven(c.fused(in)); });
    testing::check_op(c.inputs(), [&](const Inputs& in) { return testing::uneven(c.fused(in).readouts); });
    testing::check_op(c.inputs(), [&](const Inputs& in) { return testing::uneven(c.fused(in).weights); });
  }
}

TEST(AttentiveLstm, IsItsCompositionStepByStep) {
  for (const Case& c : cases()) {
    const Inputs in = c.inputs();
    EXPECT_LT(testing::distance(c.fused(in).readouts.value(), c.composed(in).readouts.value()), 1e-14);
    EXPECT_LT(testing::distance(c.fused(in).weights.value(), c.composed(in).weights.value()), 1e-14);
    const auto want = testing::gradients_of(in, [&](const Inputs& v) { return uneven(c.composed(v)); });
    const auto got = testing::gradients_of(in, [&](const Inputs& v) { return uneven(c.fused(v)); });
    for (size_t k = 0; k < want.size(); ++k) EXPECT_LT(testing::distance(got[k], want[k]), 1e-13) << "input " << k;
  }
}

TEST(AttentiveLstm, DoesNotDependOnThreads) {
  Case c{.additive = true, .dropout = 0.2, .E = 24, .H = 40, .M = 48, .R = 32};
  c.source = {9, 7, 4, 4, 1}, c.target = {8, 8, 5, 2, 1}, c.sentence_of_row = {4, 0, 3, 1, 2};
  for (const Order order : {Order::luong, Order::bahdanau}) {
    c.order = order;
    const Inputs in = testing::as_f32(c.inputs());
    auto run = [&](int threads) {
      const ThreadScope scope(threads);
      auto out = testing::gradients_of(in, [&](const Inputs& v) { return uneven(c.fused(v)); });
      out.push_back(c.fused(in).readouts.value());
      return out;
    };
    const auto one = run(1), two = run(2);
    for (size_t k = 0; k < one.size(); ++k) EXPECT_TRUE(testing::same_bits(one[k], two[k])) << k;
  }
}

TEST(AttentiveLstm, RefusesWhatDoesNotFit) {
  const Case c;
  Inputs in = c.inputs();
  in[7] = random_param({c.visible().memory.rows(), c.H + 1}, 3);
  EXPECT_THROW(c.fused(in), ShapeError);
  Case few = c;
  few.sentence_of_row = {0, 1};
  EXPECT_THROW(few.fused(c.inputs()), ShapeError);
  few.sentence_of_row = {0, 1, 3};
  EXPECT_THROW(few.fused(c.inputs()), ShapeError);
  in = c.inputs();
  const ops::Visible bounded = c.visible().within(ops::row_ids({0, 0, 0}), 9);
  EXPECT_THROW(ops::attentive_lstm(c.decoder(in), in[0], c.steps(), {in[5], in[6]}, {in[7], in[8], bounded}),
               ShapeError);
}

}  // namespace
}  // namespace lookback
