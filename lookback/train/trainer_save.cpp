#include <algorithm>

#include "lookback/autograd/var.h"
#include "lookback/base/error.h"
#include "lookback/io/atomic_file.h"
#include "lookback/train/checkpoint.h"
#include "lookback/train/trainer_run.h"

namespace lookback::train::detail {

ValidationRecord Trainer::validate() {
  const AveragedWeights averaged(average_.get());
  std::vector<Sample> samples;
  const ValidationRecord record = score(samples);
  history_.push_back(record);
  const auto best = best_steps(history_);
  if (std::find(best.begin(), best.end(), record.step) != best.end())
    save_best(files_.training(), record.step, tensors_of(named_));
  const bool is_best = !best.empty() && best[0] == record.step;
  reductions_ = plateau_reductions(scores_of(history_, options_.keep), options_.schedule.patience, larger_is_better_);
  begin_average_if_due();
  log_->validated(record,
                  {samples.begin(), samples.begin() + std::min<std::ptrdiff_t>(std::ssize(samples), options_.samples)},
                  is_best);
  if (context_.observer) context_.observer->validated(record, samples, is_best);
  return record;
}

void Trainer::begin_average_if_due() {
  const int64_t interval = options_.optimizer.average_trigger;
  if (interval == 0 || state_.average_begun >= 0) return;
  const auto scores = scores_of(history_, options_.keep);
  if (nonmonotone_trigger(scores, interval, larger_is_better_) < 0) return;
  state_.average_begun = average_->updates();
  average_->begin_mean(state_.average_begun);
  log(Severity::info, str_cat("step ", state_.step, ": the weights are averaged from here on"));
}

ValidationRecord Trainer::score(std::vector<Sample>& samples) {
  const NoGrad no_grad;
  Validation v = model_.validate();
  std::string known;
  for (const auto& [name, value] : v.scores) known += (known.empty() ? "" : ", ") + name;
  check<ConfigError>(v.scores.contains(options_.keep), "keep = '", options_.keep, "', but validation gives ", known);
  samples = std::move(v.samples);
  return {.step = state_.step, .epoch = state_.epoch, .seconds = seconds(), .scores = std::move(v.scores)};
}

void Trainer::save(bool scheduled) {
  state_.scheduled = scheduled;
  log_->sync();
  state_.log_bytes = log_->bytes();
  state_.seconds = seconds();
  state_.average_updates = average_ ? average_->updates() : 0;
  save_checkpoint(files_.training(), {.weights = tensors_of(named_),
                                      .optimizer = optimizer_.state(),
                                      .average = average_ ? average_->state() : std::vector<io::NamedTensor>{},
                                      .carried = model_.carried(),
                                      .state = state_});
  saved_at_ = state_.seconds, saved_step_ = state_.step;
  prune_checkpoints(
      files_.training(), state_.step, [&](const RunState& s) { return best_steps(s.history()); }, best_steps(history_));
}

void Trainer::publish() {
  const auto best = best_steps(history_);
  if (best.empty() || published_step_ == best[0]) return;
  // Written a moment ago, or found on disk by a run that is resumed.
  const bool found = published_step_ < 0;
  if (const auto wrong = found ? wrong_with(best_folder(files_.training(), best[0])) : std::nullopt)
    return log(Severity::warning, "the best weights are damaged, and model.safetensors stays as it is: " + *wrong);
  files_.publish_best(best[0]);
  published_step_ = best[0];
}

TrainResult Trainer::finish(const std::string& reason, int signal) {
  if (saved_step_ != state_.step) {
    const auto bad = first_non_finite_value(params_);
    check<NumericError>(!bad, "step ", state_.step, ": the parameter ", bad.value_or(""),
                        " is not finite; lower optimizer.lr or set optimizer.clip");
    save(false);
  }
  TrainResult result;
  if (signal == 0) {
    // Not part of the checkpoint: a run that goes on with higher limits never had this validation.
    if (history_.empty() || history_.back().step != state_.step) validate();
    publish_best(result);
  } else if (history_.empty()) {
    const AveragedWeights averaged(average_.get());
    write_weights(std::to_string(state_.step));
  }
  result.reason = reason, result.interrupted_by = signal;
  result.steps = state_.step, result.epochs = epochs(), result.units = state_.units;
  result.unit = model_.unit();
  result.skipped = state_.skipped, result.rollbacks = state_.rollbacks;
  result.seconds = seconds();
  const auto best = best_of(history_, options_.keep, 1, larger_is_better_);
  if (!best.empty() && !result.averaged) result.best_score = best[0].scores.at(options_.keep);
  result.has_best = !best.empty();
  result.best_step = best.empty() ? 0 : best[0].step;
  result.history = history_;
  return result;
}

void Trainer::publish_best(TrainResult& result) {
  publish();
  if (best_steps(history_).empty()) {
    log(Severity::warning, str_cat("no validation gave a number for '", options_.keep, "'; the last weights are kept"));
    const AveragedWeights averaged(average_.get());
    return write_weights(std::to_string(state_.step));
  }
  try_mean(result);
  if (!result.averaged)
    load_parameters(io::SafetensorsFile(io::ModelFolder(files_.folder()).open("model.safetensors")), named_);
  prune_checkpoints(files_.training(), state_.step, [&](const RunState& s) { return best_steps(s.history()); });
}

void Trainer::try_mean(TrainResult& result) {
  const auto steps = best_steps(history_);
  if (options_.average_best < 2 || steps.size() < 2) return;
  std::vector<std::string> files;
  std::string names;
  for (const int64_t s : steps) {
    files.push_back(best_folder(files_.training(), s) + "/weights.safetensors");
    names += (names.empty() ? "mean of " : ", ") + std::to_string(s);
  }
  load_mean(files, named_);
  std::vector<Sample> samples;
  const ValidationRecord mean = score(samples);
  const double before = best_of(history_, options_.keep, 1, larger_is_better_)[0].scores.at(options_.keep);
  result.averaged = is_better_score(mean.scores.at(options_.keep), before, larger_is_better_);
  log_->averaged(steps, mean, result.averaged);
  if (!result.averaged) return;
  result.best_score = mean.scores.at(options_.keep);
  write_weights(names);
}

void Trainer::write_weights(const std::string& step) {
  io::write_safetensors(files_.weights(), tensors_of(named_), {{"format", "pt"}, {"step", step}});
}

}  // namespace lookback::train::detail
