#include "lookback/cli/stop_signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace lookback::cli {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

// A thread waits for the signals, and all others never see them: nothing is interrupted, and what is done then need not
// be safe in a handler.
StopSignal::StopSignal() {
  const sigset_t set = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  waiter_ = std::thread([this, set] {
    for (int number = 0; ::sigwait(&set, &number) == 0 && !ended_;) {
      if (!patient_ || received_ != 0) ::_exit(128 + number);
      received_ = number;
    }
  });
}

StopSignal::~StopSignal() {
  ended_ = true;
  ::pthread_kill(waiter_.native_handle(), SIGTERM);  // NOLINT(bugprone-bad-signal-to-kill-thread): it waits for it
  waiter_.join();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace lookback::cli
