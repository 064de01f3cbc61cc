#pragma once

#include <cstdint>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/schedule.h"

namespace lookback::train {

struct TrainOptions {
  double max_minutes = 0;
  int64_t max_steps = 0;
  int64_t max_epochs = 0;
  int64_t validate_every = 0;
  int64_t validate_every_epochs = 0;
  std::string keep = "loss";
  int64_t patience = 0;
  int64_t accumulate = 1;
  StringList freeze;
  int64_t thaw_epochs = 0;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  double ema = 0;
  int64_t average_best = 0;
  std::string on_nonfinite = "stop";
  int64_t max_skips = 50;
  int64_t max_rollbacks = 3;
  std::string precision = "f32";
  int64_t seed = 1;
  int64_t save_every = 0;
  double save_minutes = 10;
  int64_t log_every = 50;
  int64_t samples = 3;

  void fields(FieldVisitor& v);
};

// The options with every "usual one" filled in. Throws ConfigError for what contradicts itself.
TrainOptions resolved(TrainOptions options);

}  // namespace lookback::train
