// Whole classifiers against the same models written plainly in PyTorch (tools/gen_golden_blocks.py).
#include "lookback/models/classifier.h"

#include "recorded.h"

namespace lookback {
namespace {

// As in the script.
const ClassifierBatch kBatch{.texts = {.tokens = {{4, 9, 5, 6}, {7}, {}, {7, 4, 4, 8, 10, 5}, {6, 5, 9}}},
                             .labels = {{2}, {0}, {1}, {3}, {2}}};
constexpr Classifier::Sizes kSizes{.vocabulary = 11, .characters = 0, .classes = 4};
constexpr double kScale = 1.0 / 5;

class ClassifierGolden : public ::testing::TestWithParam<const char*> {
 protected:
  ClassifierGolden()
      : file_(testing::recorded(std::string("classifier_") + GetParam())),
        objective_(testing::recorded_options<ClassifierObjective>(file_, "loss.")),
        model_(testing::recorded_options<ClassifierOptions>(file_, "option."), kSizes, Classifier::kNoInit),
        params_(params_of(model_)) {
    for (const NamedVar& p : params_) p.var.set_value(file_.load("param." + p.name));
  }

  // Noise, of which no option makes use, is what asks for the penalty.
  ClassifierLoss loss() const {
    Noise noise{1, 1};
    return model_.loss(kBatch, objective_, kScale, &noise);
  }

  io::SafetensorsFile file_;
  ClassifierObjective objective_;
  Classifier model_;
  std::vector<NamedVar> params_;
};

TEST_P(ClassifierGolden, ParametersHaveTheSameNames) { testing::expect_same_names(file_, params_, "param."); }

TEST_P(ClassifierGolden, LossAndGradients) {
  const ClassifierLoss got = loss();
  const Tensor recorded = file_.load("loss");
  const double* want = recorded.data<double>();
  EXPECT_NEAR(got.loss_sum * kScale, want[0], 1e-5 * want[0]);
  EXPECT_NEAR(got.nll_sum * kScale, want[1], 1e-5 * want[1]);
  EXPECT_NEAR(got.loss.value().data<float>()[0], want[0], 1e-5 * want[0]);
  backward(got.loss);
  testing::expect_gradients(file_, params_);
}

TEST_P(ClassifierGolden, TenStepsOfAdam) {
  testing::expect_ten_steps_of_adam(file_, params_, kScale, [&] { return loss(); });
}

INSTANTIATE_TEST_SUITE_P(Models, ClassifierGolden, ::testing::Values("attention", "hops", "dot", "last", "max", "mean"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lookback
