// The training loop: batches in, the best weights out, and a folder from which a run that was
// stopped at any moment goes on to the same bits.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/log.h"
#include "lookback/train/run_files.h"
#include "lookback/train/run_state.h"
#include "lookback/train/trainable.h"

namespace lookback::train {

// Where training is, after every step.
struct Progress {
  int64_t step = 0;
  double epochs = 0;  // 2.5: in the middle of the third
  double loss = 0;    // mean per unit since the last line in the log
  double lr = 0;
  double grad_norm = 0;
  double units_per_second = 0;  // since the last line in the log
  std::string unit;             // "target tokens"
  double seconds = 0;           // training time, resumed parts included
  double eta_seconds = 0;       // until the nearest limit; infinite if none is in sight
};

// Who watches. Called from the thread that trains, between steps.
struct Observer {
  virtual ~Observer() = default;
  virtual void progress(const Progress&) {}
  // `is_best` by the score in `keep`; samples as the task gave them.
  virtual void validated(const ValidationRecord&, const std::vector<Sample>&, bool /*is_best*/) {}
  virtual void message(Severity, std::string_view) {}
};

struct RunContext {
  std::string folder;  // the model folder
  FolderMode mode = FolderMode::create;
  Observer* observer = nullptr;
  // What makes the run what it is besides TrainOptions, model and data among it: "key = value" each. A run that is
  // resumed must say the same.
  StringList settings;
  double prepared_seconds = 0;  // spent before train was called; a new run counts them as training time
  // 0, or the number of a signal: the step is finished, everything saved, and train returns.
  std::function<int()> stop_requested;
  std::function<double()> clock;       // seconds, never backwards; the system's by default
  std::function<double()> wall_clock;  // seconds since 1970; the system's by default
};

struct TrainResult {
  std::string reason;      // "max_steps", "max_epochs", "max_minutes", "patience" or "interrupted"
  int interrupted_by = 0;  // what stop_requested said
  int64_t steps = 0;
  double epochs = 0;
  int64_t units = 0;    // trained on
  std::string unit;     // "target tokens"
  double seconds = 0;   // training time, resumed parts and the last validation included
  int64_t skipped = 0;  // updates left out because something was not finite
  int64_t rollbacks = 0;
  bool has_best = false;  // whether any validation gave a number for `keep`
  double best_score = 0;
  int64_t best_step = 0;
  bool averaged = false;  // the best is the mean of several validations' weights, not those of best_step
  std::vector<ValidationRecord> history;
};

// Trains until a limit, and leaves the best weights in the parameters and in model.safetensors.
//
// A step is `accumulate` batches (fewer at an epoch's end, which no step crosses); its gradient is
// that of the mean loss over all their units. Checkpoints are written at the start, after
// each scheduled validation, as save_every and save_minutes say, and at the end. A run that is
// resumed continues from the newest whole checkpoint, bit for bit; a rollback returns to one that
// neither the clock nor a stop has made. Only what max_minutes ends depends on the clock: the run, and a
// cosine schedule without `total`.
//
// An interrupted run is not validated again: the parameters are then those of the last step, and
// model.safetensors holds the best so far, or the last ones if nothing was validated yet.
//
// A run that is resumed takes the options it was started with. May change: limits (max_*, patience), saving (save_*)
// and logging (log_every, samples); everything else that differs is one ConfigError. A cosine schedule without `total`
// keeps the one it started with.
//
// Throws ConfigError (options, folder, unknown score `keep`), NumericError "step 12: ..." naming
// the loss, gradient or parameter that is not finite, IoError (the checkpoints of before are
// whole), FormatError for a checkpoint that does not fit the model, and what the model throws.
TrainResult train(Trainable& model, const TrainOptions& options, const RunContext& context);

// Throws that ConfigError for the run in `folder` before anything is prepared. `settings` may be a part of them.
void check_resumable(const std::string& folder, const TrainOptions& options, const StringList& settings);

}  // namespace lookback::train
