#include "lookback/nn/adaptive_softmax.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lookback/base/error.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

// What torch.nn.AdaptiveLogSoftmaxWithLoss(8, 13, [4, 9], div_value=2.0) of PyTorch 2.15 gives for parameters
// ((37 i + 11 k) mod 29 - 14) / 20 and inputs ((17 i + 5 n) mod 23 - 11) / 10.
struct Recorded {
  AdaptiveSoftmax layer{8, 13, {4, 9}, 2, "cutoffs"};
  Var x = Var::parameter(Tensor({5, 8}, Dtype::f64));
  std::vector<int32_t> targets{1, 12, 5, 8, 3};
  std::vector<NamedVar> params;

  explicit Recorded(Dtype dtype) {
    ParamVisitor v(params);
    layer.params(v);
    for (size_t k = 0; k < params.size(); ++k) {
      Tensor value(params[k].var.shape(), Dtype::f64);
      for (int64_t i = 0; i < value.size(); ++i)
        value.data<double>()[i] = static_cast<double>((37 * i + 11 * static_cast<int64_t>(k)) % 29 - 14) / 20;
      params[k].var.node().outputs[0] = value.to(dtype);
    }
    Tensor in({5, 8}, Dtype::f64);
    for (int64_t n = 0; n < 5; ++n)
      for (int64_t i = 0; i < 8; ++i)
        in.data<double>()[n * 8 + i] = static_cast<double>((17 * i + 5 * n) % 23 - 11) / 10;
    x = Var::parameter(in.to(dtype));
  }
};

TEST(AdaptiveSoftmax, EqualsPyTorch) {
  const Recorded r(Dtype::f32);
  std::vector<std::string> names;
  for (const NamedVar& p : r.params) names.push_back(p.name);
  EXPECT_EQ(names, (std::vector<std::string>{"head.weight", "tail.0.0.weight", "tail.0.1.weight", "tail.1.0.weight",
                                             "tail.1.1.weight"}));
  const auto out = r.layer.loss(r.x, r.targets, {});
  EXPECT_NEAR(out.nll_sum, 1.10957 + 3.829963 + 3.525507 + 2.140299 + 1.17943, 1e-5);
  EXPECT_NEAR(out.loss_sum, out.nll_sum, 1e-9);
  EXPECT_EQ(out.correct, 1);  // its predict() says 2 1 0 3 3
  backward(out.loss);
  const double dx[] = {-0.762709, 0.188279, -0.146322, 0.242967, -0.790251, 0.095178, 0.488797, 0.215425};
  for (int64_t i = 0; i < 8; ++i) EXPECT_NEAR(r.x.grad().data<float>()[2 * 8 + i], dx[i], 1e-5);
  const double dw[] = {-0.254432, 0.466458, 0.212026, -0.042405, -0.296837, 0.424053, 0.169621, -0.084811};
  for (int64_t i = 0; i < 16; ++i) EXPECT_NEAR(r.params[3].var.grad().data<float>()[i], dw[i % 8], 1e-5);
  const double row[] = {-1.92877,  -1.07377,  -1.23377,  -2.98877,  -5.363096, -5.390096, -5.417096,
                        -6.778096, -7.232846, -2.972463, -4.087214, -2.715213, -3.829963};
  const Tensor log_probs = r.layer.log_probs(r.x);
  for (int64_t v = 0; v < 13; ++v) EXPECT_NEAR(log_probs.data<float>()[13 + v], row[v], 1e-5);
  for (int64_t n = 0; n < 5; ++n) {
    double sum = 0;
    for (int64_t v = 0; v < 13; ++v) sum += std::exp(static_cast<double>(log_probs.data<float>()[n * 13 + v]));
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(AdaptiveSoftmax, GradientsAreThoseOfItsLoss) {
  const Recorded r(Dtype::f64);
  std::vector<Var> inputs{r.x};
  for (const NamedVar& p : r.params) inputs.push_back(p.var);
  EXPECT_LT(grad_error(inputs, [&] { return r.layer.loss(r.x, r.targets, {.scale = 0.3}).loss; }), 1e-8);
}

// One over a layer given, and one with weights of its own that are the same: all of W_k0 are 1.
struct Tied {
  Linear tokens{8, 13, Linear::Bias::yes};
  AdaptiveSoftmax layer{tokens, {4, 9}, "cutoffs"}, own{8, 13, {4, 9}, 1, "cutoffs"};
  Var x = testing::random_param({5, 8}, 1);
  std::vector<int32_t> targets{1, 12, 5, 8, 3};
  std::vector<NamedVar> params;

  explicit Tied(bool with_bias) {
    const auto set = [](const Var& v, Tensor value) { v.node().outputs[0] = std::move(value); };
    set(tokens.weight, testing::random_tensor({13, 8}, 2));
    set(tokens.bias, with_bias ? testing::random_tensor({13}, 3) : Tensor::zeros({13}, Dtype::f64));
    ParamVisitor v(params);
    layer.params(v);
    set(params[0].var, testing::random_tensor({2, 8}, 4));
    set(params[1].var, with_bias ? testing::random_tensor({2}, 5) : Tensor::zeros({2}, Dtype::f64));
    std::vector<NamedVar> owned;
    ParamVisitor w(owned);
    own.params(w);
    Tensor ones = Tensor::zeros({8, 8}, Dtype::f64);
    for (int64_t i = 0; i < 8; ++i) ones.data<double>()[i * 9] = 1;
    const Var all = Var(tokens.weight.value());
    set(owned[0].var, ops::concat_rows({ops::slice_rows(all, 0, 4), Var(params[0].var.value())}).value());
    set(owned[1].var, ones), set(owned[2].var, all.value().rows(4, 9));
    set(owned[3].var, ones), set(owned[4].var, all.value().rows(9, 13));
  }
};

TEST(AdaptiveSoftmax, OfALayerGivenIsTheSameFunction) {
  const Tied t(false);
  EXPECT_EQ(t.params[0].name, "clusters.weight");
  EXPECT_EQ(t.params[1].name, "clusters.bias");
  const auto a = t.layer.loss(t.x, t.targets, {}), b = t.own.loss(t.x, t.targets, {});
  EXPECT_NEAR(a.nll_sum, b.nll_sum, 1e-9);
  EXPECT_EQ(a.is_correct, b.is_correct);
}

TEST(AdaptiveSoftmax, OfALayerGivenHasItsGradientsAndProbabilities) {
  const Tied t(true);
  const std::vector<Var> inputs{t.x, t.tokens.weight, t.tokens.bias, t.params[0].var, t.params[1].var};
  EXPECT_LT(grad_error(inputs, [&] { return t.layer.loss(t.x, t.targets, {.scale = 0.3}).loss; }), 1e-8);
  for (const Var& v : inputs) v.node().outputs[0] = v.value().to(Dtype::f32);
  const Tensor log_probs = t.layer.log_probs(t.x);
  double nll = 0;
  for (int64_t n = 0; n < 5; ++n) {
    double sum = 0;
    for (int64_t v = 0; v < 13; ++v) sum += std::exp(static_cast<double>(log_probs.data<float>()[n * 13 + v]));
    EXPECT_NEAR(sum, 1, 1e-6);
    nll -= static_cast<double>(log_probs.data<float>()[n * 13 + t.targets[static_cast<size_t>(n)]]);
  }
  EXPECT_NEAR(nll, t.layer.loss(t.x, t.targets, {}).nll_sum, 1e-5);
}

TEST(AdaptiveSoftmax, CutoffsRiseWithinTheVocabulary) {
  const auto refused = [](std::vector<int64_t> cutoffs) {
    try {
      AdaptiveSoftmax(8, 13, std::move(cutoffs), 4, "model.cutoffs");
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused({4, 9}), "");
  EXPECT_NE(refused({4, 4}).find("model.cutoffs: 4 does not lie between 4"), std::string::npos);
  EXPECT_NE(refused({13}).find("the vocabulary of 13"), std::string::npos);
  EXPECT_NE(refused({0}), "");
}

}  // namespace
}  // namespace lookback
