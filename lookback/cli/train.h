// Training as `train` and `demo` do it.
#pragma once

#include <string>

#include "lookback/cli/console.h"
#include "lookback/cli/recipe.h"

namespace lookback::cli {

struct TrainPlan {
  std::string recipe_name;
  std::string data_root;
  std::string folder;
  std::string from = {};  // a model folder to start from
  train::FolderMode mode = train::FolderMode::create;
};

// Trains with an observer, signals and a report at the end; 0, or 128 + the signal that ended it.
int train_model(Recipe& recipe, const TrainPlan& plan, Console& console);

}  // namespace lookback::cli
