// The CTC loss against torch.nn.functional.ctc_loss (tools/gen_golden_ctc.py).
#include "lookback/ops/ctc.h"

#include "recorded.h"

namespace lookback {
namespace {

using testing::distance;

std::vector<int64_t> integers(const Tensor& t) {
  std::vector<int64_t> out;
  for (const double x : t.span<double>()) out.push_back(static_cast<int64_t>(x));
  return out;
}

void run(const std::string& name, int32_t blank, Dtype dtype) {
  SCOPED_TRACE(name);
  const auto file = testing::recorded("ctc");
  const MemoryLayout frames(integers(file.load("frames")));
  const auto sizes = integers(file.load("sizes")), tokens = integers(file.load(name + ".targets"));
  std::vector<std::vector<int32_t>> targets;
  size_t at = 0;
  for (const int64_t size : sizes)
    for (targets.emplace_back(); std::ssize(targets.back()) < size; ++at)
      targets.back().push_back(static_cast<int32_t>(tokens[at]));
  const double tolerance = dtype == Dtype::f64 ? 1e-12 : 1e-5;

  const Var logits = Var::parameter(file.load(name + ".logits").to(dtype));
  const auto out = ops::ctc_loss(logits, frames, targets, {.blank = blank});
  EXPECT_EQ(out.impossible, 1);
  const Tensor losses = file.load(name + ".losses");
  double sum = 0;
  for (const double l : losses.span<double>()) sum += l;
  EXPECT_NEAR(out.loss_sum, sum, tolerance * sum);
  backward(out.loss);
  EXPECT_LT(distance(logits.grad(), file.load(name + ".grad")), tolerance);

  for (int64_t s = 0; s < frames.sentences(); ++s) {
    const Var rows(logits.value().rows(frames.begin(s), frames.begin(s + 1)));
    const auto one = ops::ctc_loss(rows, MemoryLayout(std::vector<int64_t>{frames.length(s)}),
                                   {targets[static_cast<size_t>(s)]}, {.blank = blank});
    EXPECT_NEAR(one.loss_sum, losses.data<double>()[s], tolerance * sum) << s;
  }
}

TEST(CtcGolden, LossesAndGradients) {
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    run("first", 0, dtype);
    run("last", 5, dtype);
    run("between", 2, dtype);
  }
}

}  // namespace
}  // namespace lookback
