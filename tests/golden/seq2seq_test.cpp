// Whole encoder-decoders against the same models written plainly in PyTorch (tools/gen_golden.py).
#include "lookback/models/seq2seq.h"

#include <cctype>
#include <cmath>
#include <set>

#include "lookback/io/safetensors.h"
#include "lookback/ops/testing.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/parameters.h"

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
      : file_(std::string(LOOKBACK_SOURCE_DIR "/tests/golden/model/seq2seq_") + GetParam() + ".safetensors"),
        model_(options(), {kSourceVocabulary, kTargetVocabulary}, Seq2Seq::kNoInit),
        params_(params_of(model_)) {
    for (const NamedVar& p : params_) p.var.set_value(file_.load("param." + p.name));
  }

  Seq2SeqOptions options() const {
    Seq2SeqOptions out;
    auto fields = fields_of(out);
    for (const auto& [key, value] : file_.metadata())
      set_field_text(find_field(fields, key.substr(std::string("option.").size()), file_.path()), value, file_.path());
    return out;
  }

  io::SafetensorsFile file_;
  Seq2Seq model_;
  std::vector<NamedVar> params_;
};

TEST_P(Seq2SeqGolden, ParametersHaveTheSameNames) {
  std::set<std::string> here, there;
  for (const NamedVar& p : params_) here.insert("param." + p.name);
  for (const auto& e : file_.entries())
    if (e.name.starts_with("param.")) there.insert(e.name);
  EXPECT_EQ(here, there);
  EXPECT_EQ(here.size(), params_.size());
}

TEST_P(Seq2SeqGolden, LossAndGradients) {
  const auto loss = model_.loss(kBatch, kObjective, kScale, nullptr);
  const Tensor recorded = file_.load("loss");
  const double* want = recorded.data<double>();
  EXPECT_EQ(loss.tokens, kTokens);
  EXPECT_NEAR(loss.loss_sum * kScale, want[0], 1e-5 * want[0]);
  EXPECT_NEAR(loss.nll_sum * kScale, want[1], 1e-5 * want[1]);
  EXPECT_NEAR(loss.loss.value().data<float>()[0], want[0], 1e-5 * want[0]);
  backward(loss.loss);
  for (const NamedVar& p : params_) {
    ASSERT_FALSE(p.var.grad().empty()) << p.name;
    const Tensor g = file_.load("grad." + p.name);
    double largest = 0, off = 0;
    for (int64_t k = 0; k < g.size(); ++k) {
      largest = std::max(largest, std::abs(static_cast<double>(g.data<float>()[k])));
      off = std::max(off, std::abs(static_cast<double>(g.data<float>()[k]) - p.var.grad().data<float>()[k]));
    }
    EXPECT_LT(off, 1e-5 * std::max(largest, 0.01)) << p.name << ", largest " << largest;
  }
}

TEST_P(Seq2SeqGolden, TenStepsOfAdam) {
  const Tensor want = file_.load("adam_losses");
  ASSERT_EQ(want.size(), 10);
  const auto optimizer = train::make_optimizer({.kind = "adam", .lr = 0.01}, params_);
  for (const double expected : want.span<double>()) {
    train::clear_grads(params_);
    const auto loss = model_.loss(kBatch, kObjective, kScale, nullptr);
    EXPECT_NEAR(loss.loss_sum * kScale, expected, 1e-4 * expected);
    backward(loss.loss);
    optimizer->step(0.01);
  }
  EXPECT_LT(want.data<double>()[9], 0.9 * want.data<double>()[0]);
}

INSTANTIATE_TEST_SUITE_P(Models, Seq2SeqGolden,
                         ::testing::Values("luong_dot", "luong_general_plain", "luong_concat", "luong_concat_plain_gru",
                                           "luong_two_layers", "luong_scaled_tied", "bahdanau_gru", "bahdanau_lstm"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lookback
