// How training is watched: a redrawn line on a terminal, plain lines elsewhere, or JSON.
#pragma once

#include <chrono>
#include <string>

#include "lookback/cli/console.h"
#include "lookback/tasks/task.h"

namespace lookback::cli {

class TrainObserver final : public train::Observer {
 public:
  explicit TrainObserver(Console& console) : console_(console) {}

  void progress(const train::Progress& p) override;
  void validated(const train::ValidationRecord& record, const std::vector<train::Sample>& samples,
                 bool is_best) override;
  void message(Severity severity, std::string_view words) override { console_.log(severity, words); }

  // Steps of this sitting.
  int64_t steps_seen() const { return steps_seen_; }

 private:
  bool due();

  Console& console_;
  int64_t steps_seen_ = 0;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now(), spoke_ = began_;
};

// What came of it, as a few lines on the console.
void report(Console& console, const train::TrainResult& result, const std::string& keep, const std::string& folder);

}  // namespace lookback::cli
