#include <algorithm>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/train/checkpoint.h"
#include "lookback/train/trainer_run.h"

namespace lookback::train::detail {
namespace {

// Of max_minutes, what is spent to measure the steps they hold, and what these are counted for: times vary.
constexpr double kMeasured = 0.01, kCounted = 0.97;

}  // namespace

int Trainer::find_total() {
  if (options_.schedule.kind != "cosine" || options_.schedule.total > 0) return 0;
  int64_t total = std::numeric_limits<int64_t>::max();
  if (options_.max_epochs > 0)
    total = options_.max_epochs * ((model_.batches(0) + options_.accumulate - 1) / options_.accumulate);
  if (options_.max_minutes > 0) {
    int64_t fit = 0;
    if (const int signal = measure(fit)) return signal;
    total = std::min(total, fit);
  }
  set_total(std::max(options_.schedule.warmup + 1, total));
  save(true);
  if (options_.max_minutes > 0)
    log(Severity::info, str_cat("schedule.total = ", options_.schedule.total,
                                ": the steps that the limits hold, by some that were timed and taken back"));
  return 0;
}

// Training begins, is timed and taken back: what follows is, to the bit, the run that has this schedule.total.
int Trainer::measure(int64_t& fit) {
  constexpr int64_t kFirst = 2, kLeast = 8;  // steps that come slower, as memory is found; steps to time
  const double limit = 60 * options_.max_minutes, began = context_.clock();
  set_total(std::numeric_limits<int64_t>::max());
  double timed = began;
  int64_t steps = 0, of_epoch = 1;
  int signal = 0;
  for (; !signal && (steps < kFirst + kLeast || context_.clock() - began < kMeasured * limit); ++steps) {
    if (steps == kFirst) timed = context_.clock();
    const Batches now = next_batches();
    of_epoch = now.of_epoch;
    BatchResult sum;
    if (!run_batches(now, sum)) update();
    go_on_behind(now);
    signal = context_.stop_requested();
  }
  const double of_step = (context_.clock() - timed) / static_cast<double>(std::max<int64_t>(1, steps - kFirst));
  double validations = 0;  // for each step
  if (options_.validate_every > 0) validations = 1 / static_cast<double>(options_.validate_every);
  if (options_.validate_every_epochs > 0)
    validations +=
        static_cast<double>(options_.accumulate) / static_cast<double>(of_epoch * options_.validate_every_epochs);
  const double validated = context_.clock();
  std::vector<Sample> samples;
  if (!signal && validations > 0) score(samples);
  const double of_validation = context_.clock() - validated;
  const auto checkpoint = latest_valid(files_.training(), [&](const std::string& w) { log(Severity::warning, w); });
  check<FormatError>(checkpoint.has_value(), files_.training(), ": the checkpoint of the start is not whole");
  restore(*checkpoint);
  set_total(0);
  if (signal) return signal;
  const double left = std::max(0.0, kCounted * limit - seconds());
  fit = static_cast<int64_t>(left / std::max(1e-9, of_step + validations * of_validation));
  return 0;
}

void Trainer::set_total(int64_t total) { state_.options.schedule.total = options_.schedule.total = total; }

}  // namespace lookback::train::detail
