// Private to train: whether options are those of the run that goes on.
#pragma once

#include <string>

#include "lookback/train/run_state.h"

namespace lookback::train {

// Throws one ConfigError naming every option that differs, with both values, but for those that may (trainer.h);
// returns what of these does, for the log. `settings` as in RunContext; what only one side has is not compared.
std::string check_same_run(TrainOptions now, const StringList& settings, const RunState& before);

// `options`, with what they leave to others (schedule.total) as the run in `folder` had it.
TrainOptions as_started(TrainOptions options, const std::string& folder);

}  // namespace lookback::train
