#include "lookback/metrics/classification.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"

namespace lookback::metrics {
namespace {

using Classes = std::vector<int64_t>;
using Numbers = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Classification, MatrixAsText) {
  const Classes gold{0, 0, 0, 1, 1, 2}, predicted{0, 0, 1, 1, 1, 0};
  EXPECT_EQ(confusion_text(confusion_matrix(gold, predicted, 4), {"bad", "größer", "東京", "x"}),
            "gold \\ predicted   bad  größer  東京    x  recall\n"
            "bad                  2       1     0    0    66.7\n"
            "größer               0       2     0    0   100.0\n"
            "東京                 1       0     0    0     0.0\n"
            "x                    0       0     0    0     0.0\n"
            "precision         66.7    66.7   0.0  0.0\n");
  EXPECT_THROW(confusion_text(confusion_matrix(gold, predicted, 4), {"a", "b"}), ShapeError);
  EXPECT_THROW(confusion_text(confusion_matrix(gold, predicted, 3), {"a", "b", "\xff"}), FormatError);
}

TEST(Classification, AllOfOneClass) {
  const Classes all{1, 1, 1};
  const auto classes = confusion_matrix(all, all, 3).by_class();
  EXPECT_EQ(matthews(classes), 0);
  EXPECT_EQ(macro_averages(classes).f1, 1);
  EXPECT_EQ(micro_f1(classes), 1);
}

TEST(Classification, TemperatureHasBounds) {
  const Classes gold{0, 1};
  EXPECT_EQ(fit_temperature(gold, Numbers{2, 1, 1, 2}), 0.01);  // always right: the sharper, the likelier
  EXPECT_EQ(fit_temperature(gold, Numbers{1, 2, 2, 1}), 100);   // never right
  EXPECT_EQ(fit_temperature(gold, Numbers{3, 3, 3, 3}), 100);   // says nothing
}

// The temperature that logits were multiplied by comes out, and makes them likelier.
TEST(Classification, TemperatureUndoesAScale) {
  Rng rng(5);
  Classes gold;
  Numbers logits;
  for (int i = 0; i < 500; ++i) {
    gold.push_back(static_cast<int64_t>(rng.below(3)));
    for (int64_t k = 0; k < 3; ++k)
      logits.push_back(static_cast<double>(rng.below(100)) / 30 + (k == gold.back() ? 1 : 0));
  }
  const double t = fit_temperature(gold, logits);
  Numbers sharper = logits;
  for (double& z : sharper) z *= 4;
  double again = 0;
  {
    const ThreadScope threads(2);
    again = fit_temperature(gold, logits);
  }
  EXPECT_EQ(again, t);
  EXPECT_NEAR(fit_temperature(gold, sharper), 4 * t, 1e-9);
  const double best = negative_log_likelihood_of_logits(gold, logits, t);
  EXPECT_LT(best, negative_log_likelihood_of_logits(gold, logits, t * 1.01));
  EXPECT_LT(best, negative_log_likelihood_of_logits(gold, logits, t / 1.01));
}

TEST(Classification, BinsEndAtTheirUpperBorder) {
  EXPECT_NEAR(calibration_error(Classes{0, 1}, Numbers{.5, .5, .6, .4}, 2), (0.5 + 0.6) / 2, 1e-15);
  EXPECT_NEAR(calibration_error(Classes{0, 1}, Numbers{.5, .5, .6, .4}, 1), (0.5 - 0.6) / -2, 1e-15);
}

TEST(Classification, ImpossibleGoldIsInfinitelyUnlikely) {
  EXPECT_EQ(negative_log_likelihood(Classes{0}, Numbers{0, 1}), std::numeric_limits<double>::infinity());
}

TEST(Classification, SingleClassesOfAnAucAreLeftOut) {
  const Classes gold{0, 0, 1};
  EXPECT_EQ(roc_auc_one_vs_rest(gold, Numbers{.7, .2, .1, .6, .3, .1, .1, .8, .1}), 1);
  EXPECT_THROW(roc_auc_one_vs_rest(Classes{1, 1}, Numbers{.5, .5, .5, .5}), ShapeError);
  EXPECT_THROW(roc_auc(Classes{1, 1}, Numbers{.5, .6}), ShapeError);
  EXPECT_THROW(roc_auc(Classes{0, 0}, Numbers{.5, .6}), ShapeError);
}

TEST(Classification, NothingToScore) {
  EXPECT_THROW(confusion_matrix({}, {}, 2), ShapeError);
  EXPECT_THROW(macro_averages({}), ShapeError);
  EXPECT_THROW(micro_f1({}), ShapeError);
  EXPECT_THROW(matthews({}), ShapeError);
  EXPECT_THROW(roc_auc({}, {}), ShapeError);
  EXPECT_THROW(roc_auc_one_vs_rest({}, {}), ShapeError);
  EXPECT_THROW(calibration_error({}, {}), ShapeError);
  EXPECT_THROW(negative_log_likelihood({}, {}), ShapeError);
  EXPECT_THROW(fit_temperature({}, {}), ShapeError);
}

TEST(Classification, WhatDoesNotFit) {
  EXPECT_THROW(confusion_matrix(Classes{0, 1}, Classes{0}, 2), ShapeError);
  EXPECT_THROW(confusion_matrix(Classes{2}, Classes{0}, 2), ShapeError);
  EXPECT_THROW(confusion_matrix(Classes{0}, Classes{-1}, 2), ShapeError);
  EXPECT_THROW(roc_auc(Classes{0, 1}, Numbers{.5}), ShapeError);
  EXPECT_THROW(roc_auc(Classes{0, 2}, Numbers{.5, .5}), ShapeError);
  EXPECT_THROW(calibration_error(Classes{0, 1}, Numbers{.5, .5, 1}), ShapeError);
  EXPECT_THROW(calibration_error(Classes{0}, Numbers{.5, .5}, 0), ShapeError);
  EXPECT_THROW(negative_log_likelihood(Classes{2}, Numbers{.5, .5}), ShapeError);
  EXPECT_THROW(fit_temperature(Classes{0}, {}), ShapeError);
}

TEST(Classification, NumbersThatAreNone) {
  EXPECT_THROW(roc_auc(Classes{0, 1}, Numbers{.5, kNan}), NumericError);
  EXPECT_THROW(roc_auc_one_vs_rest(Classes{0, 1}, Numbers{.5, kNan, .5, .5}), NumericError);
  EXPECT_THROW(calibration_error(Classes{0}, Numbers{kNan, .5}), NumericError);
  EXPECT_THROW(calibration_error(Classes{0}, Numbers{1.5, -.5}), NumericError);
  EXPECT_THROW(negative_log_likelihood(Classes{0}, Numbers{-.5, 1.5}), NumericError);
  EXPECT_THROW(fit_temperature(Classes{0}, Numbers{kNan, 1}), NumericError);
  EXPECT_THROW(fit_temperature(Classes{0}, Numbers{std::numeric_limits<double>::infinity(), 1}), NumericError);
  EXPECT_THROW(negative_log_likelihood_of_logits(Classes{0}, Numbers{0, 1}, 0), NumericError);
}

}  // namespace
}  // namespace lookback::metrics
