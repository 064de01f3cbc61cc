// The options of prediction as flags, known before any model is loaded.
#pragma once

#include <memory>
#include <vector>

#include "lookback/cli/flags.h"
#include "lookback/tasks/task.h"

namespace lookback::cli {

// Those of every task: a model's task is known only after the command line was read.
class PredictionFlags {
 public:
  PredictionFlags();

  void declare(Flags& flags) const { flags.add(fields_); }

  // One model, or an ensemble of several, with the options of the folder, the environment (LOOKBACK_DECODE_BEAM,
  // LOOKBACK_SEED) and the command line.
  struct Loaded {
    std::unique_ptr<tasks::TaskModel> model;
    std::unique_ptr<tasks::PredictOptions> options;
  };
  // Throws ConfigError, FormatError and IoError.
  Loaded load(const StringList& folders, const Flags& flags, const LogSink& log) const;

 private:
  std::vector<std::unique_ptr<tasks::PredictOptions>> options_;  // where the values live
  std::vector<Field> fields_;
};

}  // namespace lookback::cli
