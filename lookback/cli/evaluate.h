// How scores are printed.
#pragma once

#include <string>

#include "lookback/tasks/task.h"

namespace lookback::cli {

// "bleu 41.82 nrefs:1|case:mixed|...", with the interval where there is one, and the end of the line.
std::string score_line(const tasks::EvaluationLine& score);

}  // namespace lookback::cli
