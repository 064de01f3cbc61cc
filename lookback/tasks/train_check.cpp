#include "lookback/tasks/train_check.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "lookback/base/format_number.h"
#include "lookback/base/parallel.h"
#include "lookback/ops/precision.h"
#include "lookback/train/parameters.h"

namespace lookback::tasks {
namespace {

std::string number(double x) {
  char out[64];
  std::snprintf(out, sizeof out, x < 10 ? "%.1f" : "%.0f", x);
  return out;
}

}  // namespace

StringList expected_time(train::Trainable& model, const train::TrainOptions& options) {
  using Clock = std::chrono::steady_clock;
  constexpr double kEnough = 3;  // seconds
  const PrecisionScope scope(ops::available_precision(options.precision));
  const auto params = train::unique_parameters(model.parameters());
  const int64_t batches = model.batches(0), steps = (batches + options.accumulate - 1) / options.accumulate;
  int64_t epoch_units = 0, units = 0;
  for (int64_t k = 0; k < batches; ++k) epoch_units += model.units(0, k);
  double seconds = 0;
  Noise noise{static_cast<uint64_t>(options.seed), 0};
  // The first batch finds nothing prepared, and is not counted.
  for (int64_t k = 0; k < batches && seconds < kEnough; ++k) {
    const auto begin = Clock::now();
    const auto result = model.run(0, k, 1.0 / static_cast<double>(std::max<int64_t>(1, model.units(0, k))), noise);
    train::clear_grads(params);
    if (k == 0 && batches > 1) continue;
    seconds += std::chrono::duration<double>(Clock::now() - begin).count(), units += result.units;
  }
  const double rate = static_cast<double>(units) / std::max(seconds, 1e-9);
  const double epoch = static_cast<double>(epoch_units) / rate;
  StringList out{str_cat("an epoch: ", batches, " batches in ", steps, " steps, ", epoch_units, " ", model.unit(),
                         ", about ", duration(epoch), " here (threads: ", thread_count(), ", ", number(rate), " ",
                         model.unit(), "/s, without validation)")};
  if (options.max_epochs > 0)
    out.push_back(
        str_cat("train.max_epochs = ", number(options.max_epochs), ": about ", duration(epoch * options.max_epochs)));
  if (options.max_steps > 0)
    out.push_back(str_cat(
        "train.max_steps = ", options.max_steps, ": about ",
        duration(epoch * static_cast<double>(options.max_steps) / static_cast<double>(std::max<int64_t>(1, steps)))));
  if (options.max_minutes > 0)
    out.push_back(str_cat("train.max_minutes = ", number(options.max_minutes), ": about ",
                          number(options.max_minutes * 60 / epoch), " epochs"));
  return out;
}

}  // namespace lookback::tasks
