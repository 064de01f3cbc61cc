// The temporal fusion transformer against the same written plainly, over histories of different lengths
// (tools/gen_golden_temporal_fusion.py).
#include "lookback/models/forecast_network.h"
#include "recorded.h"

namespace lookback {
namespace {

using testing::distance;

// As in the script.
const std::vector<int64_t> kLengths = {4, 1, 5, 4};
constexpr int64_t kHorizon = 3, kOutputs = 2;

class TemporalFusionGolden : public ::testing::TestWithParam<const char*> {
 protected:
  bool has(const std::string& name) const {
    return std::ranges::any_of(file_.entries(), [&](const auto& e) { return e.name == prefix_ + name; });
  }
  Tensor load(const std::string& name, Dtype dtype) const {
    return has(name) ? file_.load(prefix_ + name).to(dtype) : Tensor();
  }
  // The widths of variables are those of their maps.
  ForecastSizes sizes() const {
    const auto variables = [&](const std::string& name) {
      std::vector<ForecastVariable> out;
      for (int64_t k = 0; has(str_cat("param.", name, ".", k, ".weight")); ++k)
        out.push_back({str_cat(name, k), load(str_cat("param.", name, ".", k, ".weight"), Dtype::f64).dim(1)});
      return out;
    };
    ForecastSizes out{
        .history = 5, .horizon = kHorizon, .past = variables("past"), .fixed = variables("fixed"), .outputs = kOutputs};
    int64_t F = 0;
    while (has(str_cat("param.future_selection.variables.", F, ".fc1.weight"))) ++F;
    out.future.assign(out.past.end() - F, out.past.end());
    return out;
  }

  io::SafetensorsFile file_ = testing::recorded("temporal_fusion");
  const std::string prefix_ = std::string(GetParam()) + ".";
};

TEST_P(TemporalFusionGolden, OutputWeightsAndGradients) {
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    SCOPED_TRACE(name_of(dtype));
    const double tolerance = dtype == Dtype::f64 ? 1e-12 : 1e-4;
    const auto network =
        make_temporal_fusion_network(testing::recorded_options<ForecasterOptions>(file_, prefix_ + "option."), sizes());
    const auto params = params_of(*network);
    testing::expect_same_names(file_, params, prefix_ + "param.");
    for (const NamedVar& p : params)  // in double, which set_value would refuse
      p.var.node().outputs[static_cast<size_t>(p.var.output())] = load("param." + p.name, dtype);
    const NetworkInput in{.lengths = kLengths,
                          .past = load("past", dtype),
                          .future = load("future", dtype),
                          .fixed = load("fixed", dtype),
                          .targets = {}};
    LookedAt looked;
    const Var y = (*network)(in, nullptr, &looked);
    EXPECT_LT(distance(y.value(), load("y", dtype)), tolerance);
    for (const auto& [got, name] :
         {std::pair{looked.past, "past"}, {looked.future, "future"}, {looked.fixed, "fixed"}}) {
      const Tensor want = load(std::string("looked.") + name, dtype);
      EXPECT_EQ(got.empty(), want.empty()) << name;
      if (!want.empty()) {
        EXPECT_LT(distance(got, want), tolerance) << name;
      }
    }
    for (size_t b = 0; b < kLengths.size(); ++b) {
      const Var both = ops::concat_columns({Var(looked.weights[b]), Var(looked.horizon_weights[b])});
      EXPECT_LT(distance(both.value(), load(str_cat("attention.", b), dtype)), tolerance) << b;
    }
    backward(ops::weighted_sum(y, load("weight_of_y", dtype)));
    for (const NamedVar& p : params)
      EXPECT_LT(distance(p.var.grad(), load("grad.param." + p.name, dtype)), tolerance) << p.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, TemporalFusionGolden,
                         ::testing::Values("all", "two_layers", "without_future", "without_fixed", "series"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lookback
