#include "lookback/cli/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include <initializer_list>

namespace lookback::cli {
namespace {

// A signal handler can only reach what lives at a fixed place.
volatile sig_atomic_t g_patient = 0, g_received = 0;

void on_signal(int number) {
  if (!g_patient || g_received) ::_exit(128 + number);
  g_received = number;
}

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM}) ::sigaction(number, &action, nullptr);
}

}  // namespace

StopSignal::StopSignal() {
  g_patient = 0;
  g_received = 0;
  handle(&on_signal);
}

StopSignal::~StopSignal() { handle(SIG_DFL); }

void StopSignal::patient() { g_patient = 1; }
int StopSignal::received() const { return g_received; }

}  // namespace lookback::cli
