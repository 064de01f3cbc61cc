// Private to train: the training loop's state.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/base/precision.h"
#include "lookback/train/average.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/parameters.h"
#include "lookback/train/run_log.h"
#include "lookback/train/trainer.h"

namespace lookback::train::detail {

// One sitting of one run. trainer.cpp has the steps, trainer_total.cpp how many there will be, trainer_save.cpp what is
// scored and kept.
class Trainer {
 public:
  Trainer(Trainable& model, const TrainOptions& options, const RunContext& context);
  TrainResult run();

 private:
  void start();
  void resume(const std::string& checkpoint);
  void restore(const std::string& checkpoint);
  // Finds schedule.total where it is left to max_epochs and max_minutes; the signal that interrupted it, or 0.
  int find_total();
  int measure(int64_t& fit);
  void set_total(int64_t total);

  // The batches of one step, and how many their epoch has.
  struct Batches {
    int64_t count, of_epoch;
  };
  void step();
  Batches next_batches();
  // The name of what is not finite, if anything.
  std::optional<std::string> run_batches(const Batches& now, BatchResult& sum);
  // Whether the epoch has ended.
  bool go_on_behind(const Batches& done);
  void update();
  void account(const BatchResult& sum, double began);
  // What to do about `what`, which is not finite; false if training went back to a checkpoint.
  bool handle_nonfinite(const std::string& what);
  void roll_back(const std::string& what);
  void after_step(bool epoch_ended);

  bool validation_due(bool epoch_ended) const;
  bool save_scheduled() const;
  bool save_timed() const;
  ValidationRecord validate();
  void begin_average_if_due();
  ValidationRecord score(std::vector<Sample>& samples);
  // `scheduled`: every run with these options has this checkpoint.
  void save(bool scheduled);
  void publish();

  std::string stop_reason() const;
  double eta() const;
  TrainResult finish(const std::string& reason, int signal);
  void publish_best(TrainResult& result);
  void try_mean(TrainResult& result);
  void write_weights(const std::string& step);

  double seconds() const { return seconds_before_ + context_.clock() - started_; }
  double epochs() const { return static_cast<double>(state_.epoch) + static_cast<double>(state_.batch) / batches_; }
  void log(Severity severity, const std::string& words) const {
    if (context_.observer) context_.observer->message(severity, words);
  }
  // Best first.
  std::vector<int64_t> best_steps(const std::vector<ValidationRecord>& history) const {
    std::vector<int64_t> steps;
    for (const auto& r :
         best_of(history, options_.keep, std::max<int64_t>(1, options_.average_best), larger_is_better_))
      steps.push_back(r.step);
    return steps;
  }

  Trainable& model_;
  TrainOptions options_;  // resolved
  const Precision precision_;
  const RunContext context_;
  const bool larger_is_better_;
  const std::vector<NamedVar> named_;    // all of them: what is saved
  const std::vector<NamedVar> params_;   // each once, without frozen ones: what is trained
  const std::vector<NamedVar> thawing_;  // of these, what is frozen until thaw_epochs
  RunFiles files_;
  std::unique_ptr<RunLog> log_;
  Optimizer optimizer_;
  const std::unique_ptr<WeightAverage> average_;
  GradNorm grad_norm_;

  RunState state_;
  std::vector<ValidationRecord> history_;  // state_.validations, and at the end the last one
  int64_t reductions_ = 0;                 // by the plateau rule
  double batches_ = 1;                     // in the current epoch
  double norm_ = 0, rate_ = 0;             // of the last step
  double started_, seconds_before_ = 0;    // the clock at the start; training time before it
  int64_t steps_before_ = 0;
  double epochs_before_ = 0;
  double saved_at_ = 0;  // training time
  int64_t saved_step_ = -1;
  int64_t published_step_ = -1;    // whose weights model.safetensors holds, as far as this sitting knows
  double validation_seconds_ = 0;  // how long the last one took, with saving its weights
};

}  // namespace lookback::train::detail
