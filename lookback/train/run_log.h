// What a run says about itself: training/log.jsonl, one JSON object per line, and TensorBoard
// events in training/events.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lookback/base/precision.h"
#include "lookback/io/event_writer.h"
#include "lookback/io/posix_file.h"
#include "lookback/train/run_state.h"
#include "lookback/train/trainable.h"

namespace lookback::train {

// Two runs of the same recipe and seed write the same lines, stopped and resumed or not, but for
// the object "time" in each, which holds what the clock said. Numbers that are not finite are null.
//   {"event":"start", "seed", "parameters", "precision", "unit", "time":{}}
//   {"event":"train", "step", "epoch", "loss", the model's own sums ("nll", "accuracy_token"), "lr", "grad_norm",
//    "units", "skipped", "time":{"seconds","units_per_second"}}        means over the steps since the line before
//   {"event":"valid", "step", "epoch", "scores":{}, "best", "samples":[{}], "time":{"seconds"}}
//   {"event":"skip" | "rollback", "step", "what", "time":{}}
//   {"event":"average", "steps":[], "scores":{}, "best", "time":{}}
class RunLog {
 public:
  // `training` must exist. `wall_clock` is in seconds since 1970.
  RunLog(const std::string& training, std::function<double()> wall_clock);

  // Takes up the log after `bytes`, the rest of which is void, and the events after `step`.
  // Returns false if the file is shorter than that; it is then taken up where it ends.
  bool rewind(int64_t bytes, int64_t step);
  int64_t bytes() const { return file_.size(); }
  void sync();

  void start(int64_t seed, int64_t parameters, Precision precision, const std::string& unit);
  // `epochs` done: 2.5 in the middle of the third.
  void trained(const RunState& state, double epochs, double lr, double grad_norm);
  void validated(const ValidationRecord& record, const std::vector<Sample>& samples, bool is_best);
  void incident(const std::string& event, int64_t step, const std::string& what);
  void averaged(const std::vector<int64_t>& steps, const ValidationRecord& record, bool is_best);

 private:
  void line(const std::string& object);

  io::File file_;
  io::EventWriter events_;
};

}  // namespace lookback::train
