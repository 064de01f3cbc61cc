// Private to tasks: the weights and the card of an exported model.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lookback/io/model_folder.h"
#include "lookback/nn/module.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {

struct Exported {
  const io::ModelFolder& from;
  std::string task;
  std::vector<NamedVar> parameters;
  StringList kept_from_int8;  // parameters that stay as they are
  bool int8 = false;          // whether matrices are int8 rows already
  std::map<std::string, std::string> metadata;
};

// Throws FormatError for a matrix that is not finite, and IoError.
void write_exported(const Exported& model, const std::string& folder, const ExportOptions& options);

}  // namespace lookback::tasks
