// Whole labellers against the same models written plainly in PyTorch (tools/gen_golden_labeller.py).
#include "lookback/models/labeller.h"

#include "recorded.h"

namespace lookback {
namespace {

// As in the script.
const LabellerBatch kBatch{.texts = {.tokens = {{4, 9, 5, 6}, {7}, {}, {7, 4, 4, 8, 10, 5}, {6, 5, 9}}},
                           .tags = {{2, 0, 1, 1}, {0}, {}, {1, 3, 2, 2, 0, 1}, {3, 3, 0}}};
constexpr Labeller::Sizes kSizes{.vocabulary = 11, .characters = 0, .tags = 4};
constexpr double kScale = 1.0 / 14;

class LabellerGolden : public ::testing::TestWithParam<const char*> {
 protected:
  LabellerGolden()
      : file_(testing::recorded(std::string("labeller_") + GetParam())),
        model_(testing::recorded_options<LabellerOptions>(file_, "option."), kSizes, {}, Labeller::kNoInit),
        params_(params_of(model_)) {
    for (const NamedVar& p : params_) p.var.set_value(file_.load("param." + p.name));
  }

  LabellerLoss loss() const { return model_.loss(kBatch, {}, kScale, nullptr); }

  io::SafetensorsFile file_;
  Labeller model_;
  std::vector<NamedVar> params_;
};

TEST_P(LabellerGolden, ParametersHaveTheSameNames) { testing::expect_same_names(file_, params_, "param."); }

TEST_P(LabellerGolden, LossAndGradients) {
  const LabellerLoss got = loss();
  const Tensor recorded = file_.load("loss");
  const double want = recorded.data<double>()[0];
  EXPECT_NEAR(got.nll_sum * kScale, want, 1e-5 * want);
  EXPECT_NEAR(got.loss.value().data<float>()[0], want, 1e-5 * want);
  backward(got.loss);
  testing::expect_gradients(file_, params_);
}

TEST_P(LabellerGolden, TenStepsOfAdam) {
  testing::expect_ten_steps_of_adam(file_, params_, kScale, [&] { return loss(); });
}

INSTANTIATE_TEST_SUITE_P(Models, LabellerGolden, ::testing::Values("crf", "softmax"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lookback
