// One line of a recipe or a JSON file, before anybody knows what the key means.
#pragma once

#include <string>

#include "lookback/base/fields.h"

namespace lookback::io {

struct KeyValue {
  std::string path;  // dotted: "model.encoder.layers"
  FieldValue value;
  int line = 0;  // from 1, where the value stands
};

}  // namespace lookback::io
