// The README.md of a model folder, filled from the run that made it.
#pragma once

#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/io/model_folder.h"
#include "lookback/train/trainer.h"

namespace lookback::tasks {

struct ModelCard {
  std::string task, recipe;
  std::vector<Field> fields;      // every option, with where its value came from
  std::vector<std::string> data;  // what was read for training and for validation
  int64_t parameters = 0;
  train::TrainResult result;
  std::string keep;  // the validation score that chose the weights
};

std::string model_card(const ModelCard& card);

// The card of an exported model: that of the model it comes from, if it has one, and how the weights are stored.
std::string exported_card(const io::ModelFolder& origin, const std::string& task, bool int8);

// The CPU this runs on, as the system names it; "unknown CPU" if it does not.
std::string cpu_name();

}  // namespace lookback::tasks
