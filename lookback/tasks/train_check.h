// Private to tasks: what `train --check` tells of a recipe, whatever its task.
#pragma once

#include "lookback/base/fields.h"
#include "lookback/train/train_options.h"
#include "lookback/train/trainable.h"

namespace lookback::tasks {

// How long training will take here, a line for each limit, from a few batches that are run now: with a gradient, but
// without an update.
StringList expected_time(train::Trainable& model, const train::TrainOptions& options);

}  // namespace lookback::tasks
