// Self-attention blocks against torch.nn, and attention pooling against the same written plainly, over ragged batches
// (tools/gen_golden_blocks.py).
#include "lookback/nn/block.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/pooling.h"
#include "lookback/ops/pooling.h"
#include "recorded.h"

namespace lookback {
namespace {

using testing::distance;

// As in the script.
const std::vector<int64_t> kLengths = {5, 4, 2, 1};
constexpr int64_t kWidth = 6;
constexpr double kPenalty = 0.5;

// One case of a file in one type.
class Recorded {
 public:
  Recorded(const io::SafetensorsFile& file, std::string name, Dtype dtype)
      : file_(file), name_(std::move(name)), dtype_(dtype) {}

  template <class Options>
  Options options() const {
    return testing::recorded_options<Options>(file_, name_ + ".");
  }
  Tensor load(const std::string& what) const { return file_.load(name_ + "." + what).to(dtype_); }
  double tolerance() const { return dtype_ == Dtype::f64 ? 1e-13 : 1e-5; }

  Sequence x() const { return {Var::parameter(load("x")), Ragged(kLengths), RowOrder::by_sequence}; }
  // Gives parameters their values.
  void set(const std::vector<NamedVar>& params) const {
    testing::expect_same_names(file_, params, name_ + ".param.");
    for (const NamedVar& p : params)  // in double, which set_value would refuse
      p.var.node().outputs[static_cast<size_t>(p.var.output())] = load("param." + p.name);
  }
  void expect(const Tensor& got, const std::string& what) const {
    EXPECT_LT(distance(got, load(what)), tolerance()) << what;
  }
  void expect_gradients(const Sequence& x, const std::vector<NamedVar>& params) const {
    expect(x.x.grad(), "grad.x");
    for (const NamedVar& p : params) expect(p.var.grad(), "grad.param." + p.name);
  }

 private:
  const io::SafetensorsFile& file_;
  const std::string name_;
  const Dtype dtype_;
};

class BlockGolden : public ::testing::TestWithParam<const char*> {};
class PoolingGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(BlockGolden, OutputAndGradients) {
  const auto file = testing::recorded("blocks");
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    SCOPED_TRACE(name_of(dtype));
    const Recorded want(file, GetParam(), dtype);
    BlockOptions options = want.options<BlockOptions>();
    options.kind = "self_attention";
    const auto block = make_block(options, kWidth, "block");
    const auto params = params_of(*block);
    want.set(params);
    const Sequence x = want.x();
    const Var y = (*block)(x, {RowOrder::by_sequence, {}, nullptr, false}).memory.x;
    want.expect(y.value(), "y");
    backward(ops::weighted_sum(y, want.load("weight_of_y")));
    want.expect_gradients(x, params);
  }
}

TEST_P(PoolingGolden, OutputAndGradients) {
  const auto file = testing::recorded("pooling");
  const Encoder as_wide({.blocks = {{.kind = "self_attention", .heads = 1}}}, kWidth);
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    SCOPED_TRACE(name_of(dtype));
    const Recorded want(file, GetParam(), dtype);
    const auto options = want.options<PoolingOptions>();
    Pooling pooling(options, as_wide, "pooling");
    const auto params = params_of(pooling);
    want.set(params);
    const Sequence x = want.x();
    const Pooled y = pooling({x, {}});
    const Var penalty = ops::hops_penalty(y.weights, options.hops, x.shape.memory());
    want.expect(y.x.value(), "y");
    want.expect(y.weights.value(), "weights");
    want.expect(penalty.value(), "penalty");
    backward(ops::add(ops::weighted_sum(y.x, want.load("weight_of_y")), ops::scale(penalty, kPenalty)));
    want.expect_gradients(x, params);
  }
}

const auto named = [](const auto& info) { return std::string(info.param); };
INSTANTIATE_TEST_SUITE_P(Blocks, BlockGolden,
                         ::testing::Values("attention", "attention_after", "layer", "layer_after", "causal", "window",
                                           "causal_window", "relative", "everything"),
                         named);
INSTANTIATE_TEST_SUITE_P(Poolings, PoolingGolden, ::testing::Values("additive", "additive_hops", "dot_hops"), named);

}  // namespace
}  // namespace lookback
