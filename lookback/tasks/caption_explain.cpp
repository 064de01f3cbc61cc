// Where on a picture a caption looked.
#include <algorithm>
#include <cmath>

#include "lookback/tasks/caption.h"
#include "lookback/tasks/input.h"

namespace lookback::tasks {

viz::Figure Caption::explain(Networks, const Input&, const Options&) {
  throw ConfigError("not yet");
}

}  // namespace lookback::tasks
