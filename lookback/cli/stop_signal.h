// SIGINT and SIGTERM while a model is trained.
#pragma once

namespace lookback::cli {

// For the life of this object: a signal ends the program at once with 128 + its number, unless
// patient() was called; from then on the first one is only remembered, so that the step can be
// finished and saved, and the second one ends the program. One at a time.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void patient();
  int received() const;  // 0, or the number of the signal
};

}  // namespace lookback::cli
