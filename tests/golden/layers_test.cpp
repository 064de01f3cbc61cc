// LSTM and GRU layers against torch.nn over packed ragged batches (tools/gen_golden.py).
#include "lookback/io/safetensors.h"
#include "lookback/ops/recurrent.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using ops::Direction;
using testing::distance;

const std::vector<int64_t> kLengths = {5, 3, 3, 1};

class LayersGolden : public ::testing::TestWithParam<Dtype> {
 protected:
  Tensor load(const std::string& name) const { return file_.load(name).to(GetParam()); }
  void run(const std::string& name, bool gru, bool both) const;

 private:
  io::SafetensorsFile file_{LOOKBACK_SOURCE_DIR "/tests/golden/model/layers.safetensors"};
};

void LayersGolden::run(const std::string& name, bool gru, bool both) const {
  SCOPED_TRACE(name);
  const double tolerance = GetParam() == Dtype::f64 ? 1e-13 : 1e-5;
  const Steps steps(kLengths);
  const int64_t B = steps.B(), H = 4;
  std::vector<std::pair<std::string, Var>> inputs;
  auto input = [&](const std::string& parameter) {
    return inputs.emplace_back(parameter, Var::parameter(load(name + "." + parameter))).second;
  };
  auto states = [&](const std::string& state) { return load(name + "." + state).reshape({both ? 2 * B : B, H}); };
  const Var x = input("x"), h0 = Var::parameter(states("h0")), c0 = gru ? Var() : Var::parameter(states("c0"));
  std::vector<Var> y, h, c;
  for (const bool reverse : both ? std::vector{false, true} : std::vector{false}) {
    const std::string suffix = reverse ? "_l0_reverse" : "_l0";
    const ops::RecurrentWeights w{input("weight_ih" + suffix), input("weight_hh" + suffix), input("bias_ih" + suffix),
                                  input("bias_hh" + suffix)};
    const int64_t first = reverse ? B : 0;
    const auto out = (gru ? &ops::gru : &ops::lstm)(
        x, steps, w, {.direction = reverse ? Direction::reverse : Direction::forward},
        {ops::slice_rows(h0, first, first + B), c0 ? ops::slice_rows(c0, first, first + B) : Var()});
    y.push_back(out.h), h.push_back(out.last_h);
    if (!gru) c.push_back(out.last_c);
  }
  const Var all_y = ops::concat_columns(y), all_h = ops::concat_rows(h), all_c = gru ? Var() : ops::concat_rows(c);
  EXPECT_LT(distance(all_y.value(), load(name + ".out_y")), tolerance);
  EXPECT_LT(distance(all_h.value(), states("out_h")), tolerance);
  if (!gru) {
    EXPECT_LT(distance(all_c.value(), states("out_c")), tolerance);
  }
  Var loss =
      ops::add(ops::weighted_sum(all_y, load(name + ".weight_of_y")), ops::weighted_sum(all_h, states("weight_of_h")));
  if (!gru) loss = ops::add(loss, ops::weighted_sum(all_c, states("weight_of_c")));
  backward(loss);
  for (const auto& [parameter, var] : inputs)
    EXPECT_LT(distance(var.grad(), load(name + ".grad." + parameter)), tolerance) << parameter;
  EXPECT_LT(distance(h0.grad(), states("grad.h0")), tolerance);
  if (!gru) {
    EXPECT_LT(distance(c0.grad(), states("grad.c0")), tolerance);
  }
}

TEST_P(LayersGolden, Lstm) { run("lstm", false, false); }
TEST_P(LayersGolden, BidirectionalLstm) { run("bilstm", false, true); }
TEST_P(LayersGolden, Gru) { run("gru", true, false); }
TEST_P(LayersGolden, BidirectionalGru) { run("bigru", true, true); }

INSTANTIATE_TEST_SUITE_P(Dtypes, LayersGolden, ::testing::Values(Dtype::f64, Dtype::f32),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace lookback
