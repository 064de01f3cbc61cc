#include "lookback/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/train/fake_trainable.h"

namespace lookback::train {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double at(const ScheduleOptions& o, int64_t step, int64_t epoch = 0, int64_t reductions = 0) {
  return learning_rate(o, 0.8, {.step = step, .epoch = epoch, .reductions = reductions});
}

TEST(Schedule, ConstantAndWarmup) {
  EXPECT_EQ(at({}, 1), 0.8);
  EXPECT_EQ(at({}, 1'000'000), 0.8);
  for (const std::string kind : {"constant", "inverse_sqrt", "cosine", "exponential", "plateau"}) {
    const ScheduleOptions o{.kind = kind, .warmup = 10, .total = 100};
    for (int64_t s = 1; s <= 10; ++s) EXPECT_NEAR(at(o, s), 0.8 * static_cast<double>(s) / 10, 1e-15) << kind << s;
  }
}

TEST(Schedule, InverseSqrt) {
  const ScheduleOptions o{.kind = "inverse_sqrt", .warmup = 100};
  EXPECT_NEAR(at(o, 50), 0.4, 1e-15);
  EXPECT_NEAR(at(o, 400), 0.4, 1e-15);
  EXPECT_NEAR(at(o, 10'000), 0.08, 1e-15);
  EXPECT_NEAR(at({.kind = "inverse_sqrt"}, 4), 0.4, 1e-15);
}

TEST(Schedule, Cosine) {
  const ScheduleOptions o{.kind = "cosine", .warmup = 10, .total = 110, .min_lr = 0.2};
  for (int64_t s = 10; s <= 110; ++s)
    EXPECT_NEAR(at(o, s), 0.2 + 0.6 * (1 + std::cos(M_PI * static_cast<double>(s - 10) / 100)) / 2, 1e-14);
  EXPECT_EQ(at(o, 5'000), 0.2);
}

TEST(Schedule, ExponentialByEpochsAndSteps) {
  ScheduleOptions o{.kind = "exponential", .decay = 0.5, .decay_after = 5, .min_lr = 0.01};
  // Luong et al. 2015: five epochs at the full rate, then half of it every epoch.
  for (int64_t e = 0; e < 5; ++e) EXPECT_EQ(at(o, 1, e), 0.8);
  EXPECT_EQ(at(o, 1, 5), 0.4);
  EXPECT_EQ(at(o, 1, 7), 0.1);
  EXPECT_EQ(at(o, 1, 100), 0.01);
  o = {.kind = "exponential", .decay = 0.9, .decay_by = "steps", .decay_after = 10};
  EXPECT_EQ(at(o, 10, 3), 0.8);
  EXPECT_NEAR(at(o, 13), 0.8 * 0.9 * 0.9 * 0.9, 1e-15);
}

TEST(Schedule, Plateau) {
  const ScheduleOptions o{.kind = "plateau", .factor = 0.25, .min_lr = 0.02};
  EXPECT_EQ(at(o, 7, 0, 0), 0.8);
  EXPECT_EQ(at(o, 7, 0, 1), 0.2);
  EXPECT_EQ(at(o, 7, 0, 9), 0.02);
  // best 3 | 3, 4 are no better -> 1 | NaN, 5 -> 2 | 2 is | 2, 2 -> 3
  const std::vector<double> losses = {5, 3, 3, 4, kNan, 5, 2, 2, 2};
  EXPECT_EQ(plateau_reductions(losses, 2, false), 3);
  EXPECT_EQ(plateau_reductions(losses, 3, false), 1);
  EXPECT_EQ(plateau_reductions({1, 2, 3, 4}, 1, true), 0);
  EXPECT_EQ(plateau_reductions({1, 2, 3, 4}, 1, false), 3);
}

TEST(Schedule, ScoresSinceBest) {
  EXPECT_EQ(scores_since_best({}, true), 0);
  EXPECT_EQ(scores_since_best({1, 2, 3}, true), 0);
  EXPECT_EQ(scores_since_best({1, 2, 3}, false), 2);
  EXPECT_EQ(scores_since_best({3, 3}, true), 1);
  EXPECT_EQ(scores_since_best({kNan, kNan}, true), 2);
  EXPECT_EQ(scores_since_best({kNan, 1}, true), 0);
  EXPECT_TRUE(is_better_score(1, kNan, true));
  EXPECT_FALSE(is_better_score(kNan, 1, true));
}

TEST(Schedule, RefusesWhatCannotBe) {
  const auto refused = [](const ScheduleOptions& o, int64_t max_steps = 0, bool limited = false) {
    return message_or_none<ConfigError>([&] { resolved(o, max_steps, limited); });
  };
  EXPECT_NE(refused({.kind = "cosine"}).find("schedule.total (steps) must be set"), std::string::npos);
  EXPECT_EQ(refused({.kind = "cosine"}, 100), "");
  EXPECT_EQ(resolved(ScheduleOptions{.kind = "cosine"}, 100, false).total, 100);
  EXPECT_EQ(resolved(ScheduleOptions{.kind = "cosine"}, 100, true).total, 100);
  EXPECT_EQ(resolved(ScheduleOptions{.kind = "cosine", .warmup = 7}, 0, true).total, 0);
  EXPECT_NE(refused({.kind = "cosine", .warmup = 100}, 100).find("must be less than"), std::string::npos);
  EXPECT_NE(refused({.decay_by = "time"}).find("'time' is not offered"), std::string::npos);
  EXPECT_NE(refused({.decay_by = "epoch"}).find("did you mean 'epochs'"), std::string::npos);
  EXPECT_THROW(learning_rate({.kind = "step"}, 1, {}), ConfigError);
}

// AWD-LSTM: len(before) > n and v > min(before[:-n]).
TEST(Schedule, NonMonotoneTrigger) {
  const std::vector<double> falling{9, 8, 7, 6, 5, 4, 3};
  EXPECT_EQ(nonmonotone_trigger(falling, 2, false), -1);
  EXPECT_EQ(nonmonotone_trigger({9, 5, 6, 7, 8, 4}, 2, false), 4);  // 8 is worse than the best of 9 and 5
  EXPECT_EQ(nonmonotone_trigger({5, 6, 7, 8}, 2, false), 3);
  EXPECT_EQ(nonmonotone_trigger({5, 6, 7}, 2, false), -1);  // too few before it
  EXPECT_EQ(nonmonotone_trigger({5, 4, 4, 4, 4}, 1, false), -1);
  EXPECT_EQ(nonmonotone_trigger({1, 2, 3, 2, 1}, 1, true), 4);  // 2 is as good as 2
  EXPECT_EQ(nonmonotone_trigger({NAN, 5, NAN, 6, 7}, 1, false), 3);
  EXPECT_EQ(nonmonotone_trigger({}, 3, false), -1);
}

}  // namespace
}  // namespace lookback::train
