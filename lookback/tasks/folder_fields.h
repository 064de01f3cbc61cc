// Private to tasks: the JSON files of a model folder.
#pragma once

#include <vector>

#include "lookback/base/fields.h"
#include "lookback/io/posix_file.h"

namespace lookback::tasks {

constexpr const char* kWeightsFile = "model.safetensors";

// Sets fields from what a JSON file of a model folder says. Throws FormatError for what does not fit.
void read_fields(const io::File& file, Fields fields);

}  // namespace lookback::tasks
