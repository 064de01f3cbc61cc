// SIGINT and SIGTERM while a model is trained or talked to.
#pragma once

#include <signal.h>

#include <atomic>
#include <thread>

namespace lookback::cli {

// For the life of this object: a signal ends the program at once with 128 + its number, unless
// patient() was called; from then on the first one is only remembered, so that the step can be
// finished and saved, and the second one ends the program. To be made before any thread that
// works, so that those inherit the mask.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void patient() { patient_ = true; }
  int received() const { return received_; }  // 0, or the number of the signal

 private:
  std::atomic<bool> patient_ = false, ended_ = false;
  std::atomic<int> received_ = 0;
  sigset_t before_;
  std::thread waiter_;
};

}  // namespace lookback::cli
