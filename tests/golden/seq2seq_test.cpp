// Whole encoder-decoders against the same models written plainly in PyTorch (tools/gen_golden.py).
#include "lookback/models/seq2seq.h"

#include "recorded.h"

namespace lookback {
namespace {

// As in the script.
const Seq2SeqBatch kBatch{.source = {{4, 9, 5, 6}, {}, {7, 4, 4, 8, 10, 5}, {6, 5, 9}, {8}},
                          .target = {{5, 6, 11}, {7, 7, 4, 9, 5}, {10}, {}, {8, 12}}};
const ObjectiveOptions kObjective{.smoothing = 0.1};
constexpr int64_t kTokens = 16, kSourceVocabulary = 11, kTargetVocabulary = 13;
constexpr double kScale = 1.0 / kTokens;

class Seq2SeqGolden : public ::testing::TestWithParam<const char*> {
 protected:
  Seq2SeqGolden()
      : file_(testing::recorded(std::string("seq2seq_") + GetParam())),
        model_(testing::recorded_options<Seq2SeqOptions>(file_, "option."), {kSourceVocabulary, kTargetVocabulary},
               Seq2Seq::kNoInit),
        params_(params_of(model_)) {
    for (const NamedVar& p : params_) p.var.set_value(file_.load("param." + p.name));
  }

  io::SafetensorsFile file_;
  Seq2Seq model_;
  std::vector<NamedVar> params_;
};

TEST_P(Seq2SeqGolden, ParametersHaveTheSameNames) { testing::expect_same_names(file_, params_, "param."); }

TEST_P(Seq2SeqGolden, LossAndGradients) {
  const auto loss = model_.loss(kBatch, kObjective, kScale, nullptr);
  const Tensor recorded = file_.load("loss");
  const double* want = recorded.data<double>();
  EXPECT_EQ(loss.tokens, kTokens);
  EXPECT_NEAR(loss.loss_sum * kScale, want[0], 1e-5 * want[0]);
  EXPECT_NEAR(loss.nll_sum * kScale, want[1], 1e-5 * want[1]);
  EXPECT_NEAR(loss.loss.value().data<float>()[0], want[0], 1e-5 * want[0]);
  backward(loss.loss);
  testing::expect_gradients(file_, params_);
}

TEST_P(Seq2SeqGolden, TenStepsOfAdam) {
  testing::expect_ten_steps_of_adam(file_, params_, kScale,
                                    [&] { return model_.loss(kBatch, kObjective, kScale, nullptr); });
}

INSTANTIATE_TEST_SUITE_P(Models, Seq2SeqGolden,
                         ::testing::Values("luong_dot", "luong_general_plain", "luong_concat", "luong_concat_plain_gru",
                                           "luong_two_layers", "luong_scaled_tied", "bahdanau_gru", "bahdanau_lstm"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lookback
