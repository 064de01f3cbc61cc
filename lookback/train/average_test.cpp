#include "lookback/train/average.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lookback/base/error.h"
#include "lookback/train/fake_trainable.h"
#include "lookback/train/parameters.h"

namespace lookback::train {
namespace {

struct Moving {
  Var x = Var::parameter(Tensor::zeros({1}, Dtype::f64));
  std::vector<NamedVar> params{{"x", x}};
  void move(double to) const { x.value().data<double>()[0] = to; }
  double value() const { return x.value().data<double>()[0]; }
};

double swapped(WeightAverage& average, const Moving& m) {
  const AveragedWeights scope(&average);
  return m.value();
}

TEST(Average, ExponentialStartsShort) {
  Moving m;
  auto average = WeightAverage::exponential(0.5, m.params);
  double expected = 0;
  for (int t = 1; t <= 20; ++t) {
    m.move(t * t);
    average.update();
    const double d = std::min(0.5, (1.0 + t) / (10.0 + t));
    expected = d * expected + (1 - d) * t * t;
    EXPECT_NEAR(swapped(average, m), expected, 1e-12 * expected) << t;
    EXPECT_EQ(m.value(), t * t);
  }
}

TEST(Average, MeanBeginsAtStart) {
  Moving m;
  auto average = WeightAverage::mean(3, m.params);
  const double weights[] = {10, 20, 3, 5, 10}, means[] = {10, 20, 3, 4, 6};
  for (int t = 0; t < 5; ++t) {
    m.move(weights[t]);
    average.update();
    EXPECT_DOUBLE_EQ(swapped(average, m), means[t]);
  }
}

TEST(Average, SwapDoesNotCopyAndMakesANewVersion) {
  Moving m;
  auto average = WeightAverage::mean(1, m.params);
  const auto* before = m.x.value().bytes();
  const auto version = m.x.node().version;
  average.swap();
  EXPECT_NE(m.x.value().bytes(), before);
  EXPECT_NE(m.x.node().version, version);
  average.swap();
  EXPECT_EQ(m.x.value().bytes(), before);
}

TEST(Average, StateRoundTrip) {
  Moving a, b;
  auto first = WeightAverage::exponential(0.9, a.params), second = WeightAverage::exponential(0.9, b.params);
  for (int t = 1; t < 5; ++t) a.move(t), first.update();
  second.load_state(first.state(), first.updates(), "test");
  EXPECT_EQ(swapped(second, b), swapped(first, a));
  EXPECT_EQ(second.updates(), 4);
  EXPECT_THROW(second.load_state({}, 0, "test"), FormatError);
}

TEST(Average, RefusesNonsense) {
  Moving m;
  EXPECT_THROW(WeightAverage::exponential(1, m.params), ConfigError);
  EXPECT_THROW(WeightAverage::mean(0, m.params), ConfigError);
}

TEST(Average, MeanOfFiles) {
  const TemporaryFolder folder;
  Moving m;
  std::vector<std::string> files;
  for (const double x : {1.0, 2.0, 6.0}) {
    m.move(x);
    files.push_back(folder / str_cat(x));
    io::write_safetensors(files.back(), tensors_of(m.params));
  }
  load_mean(files, m.params);
  EXPECT_DOUBLE_EQ(m.value(), 3);
  const std::vector<NamedVar> other{{"x", Var::parameter(Tensor::zeros({2}, Dtype::f64))}};
  EXPECT_THROW(load_mean(files, other), FormatError);
}

}  // namespace
}  // namespace lookback::train
