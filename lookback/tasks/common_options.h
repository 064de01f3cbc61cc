// Private to tasks: options of prediction that every task has.
#pragma once

#include <string>

#include "lookback/tasks/task.h"

namespace lookback::tasks {

struct CommonOptions : PredictOptions {
  int64_t batch = 64;
  std::string precision = "f32";

  void common_fields(FieldVisitor& v);
  // Says what this machine cannot do as asked.
  void check_precision(const LogSink& log) const;
};

}  // namespace lookback::tasks
