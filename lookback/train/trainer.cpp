#include "lookback/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/ops/precision.h"
#include "lookback/train/checkpoint.h"
#include "lookback/train/same_run.h"
#include "lookback/train/trainer_run.h"

namespace lookback::train {
namespace {

constexpr double kRollbackFactor = 0.5;

template <class Clock>
double seconds_of() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

RunContext with_defaults(RunContext c) {
  if (!c.stop_requested) c.stop_requested = [] { return 0; };
  if (!c.clock) c.clock = &seconds_of<std::chrono::steady_clock>;
  if (!c.wall_clock) c.wall_clock = &seconds_of<std::chrono::system_clock>;
  return c;
}

std::unique_ptr<WeightAverage> make_average(const TrainOptions& o, const std::vector<NamedVar>& params) {
  if (o.ema > 0) return std::make_unique<WeightAverage>(WeightAverage::exponential(o.ema, params));
  if (o.optimizer.average_trigger > 0) return std::make_unique<WeightAverage>(WeightAverage::mean_later(params));
  if (o.optimizer.averaged)
    return std::make_unique<WeightAverage>(WeightAverage::mean(o.optimizer.average_start, params));
  return nullptr;
}

std::vector<NamedVar> trained(const std::vector<NamedVar>& named, const TrainOptions& options) {
  if (options.thaw_epochs == 0) freeze(named, options.freeze);
  return unique_parameters(named);
}

}  // namespace

namespace detail {

Trainer::Trainer(Trainable& model, const TrainOptions& options, const RunContext& context)
    : model_(model),
      options_(resolved(context.mode == FolderMode::resume ? as_started(options, context.folder) : options)),
      precision_(ops::available_precision(options_.precision)),
      context_(with_defaults(context)),
      larger_is_better_(find_score(model.scores(), options_.keep).larger_is_better),
      named_(model.parameters()),
      params_(trained(named_, options_)),
      thawing_(options_.thaw_epochs > 0 ? matching(named_, options_.freeze) : std::vector<NamedVar>{}),
      files_(context_.folder, context_.mode),
      optimizer_(options_.optimizer, params_),
      average_(make_average(options_, params_)),
      started_(context_.clock()) {}

TrainResult Trainer::run() {
  const PrecisionScope scope(precision_);
  if (const std::string warning = ops::precision_warning(options_.precision); !warning.empty())
    log(Severity::warning, warning);
  std::optional<std::string> checkpoint;
  if (context_.mode == FolderMode::resume) {
    checkpoint = latest_valid(files_.training(), [&](const std::string& what) { log(Severity::warning, what); });
    check<FormatError>(checkpoint || !files_.has_checkpoint(), files_.training(),
                       ": none of its checkpoints is whole; the run can only be started again");
  }
  if (!checkpoint) state_.seconds = seconds_before_ = context_.prepared_seconds;
  checkpoint ? resume(*checkpoint) : start();
  seconds_before_ = saved_at_ = state_.seconds;
  steps_before_ = state_.step, epochs_before_ = epochs();
  if (const int signal = find_total()) return finish("interrupted", signal);
  for (;;) {
    if (const std::string reason = stop_reason(); !reason.empty()) return finish(reason, 0);
    step();
    if (const int signal = context_.stop_requested()) return finish("interrupted", signal);
  }
}

void Trainer::start() {
  if (context_.mode == FolderMode::resume)
    log(Severity::info, files_.training() + ": no checkpoint yet; training starts from the beginning");
  files_.clear();
  log_ = std::make_unique<RunLog>(files_.training(), context_.wall_clock);
  int64_t count = 0;
  for (const NamedVar& p : params_) count += p.var.value().size();
  log_->start(options_.seed, count, precision_, model_.unit());
  files_.write_manifest(model_.save_model_files(files_.folder()));
  state_.options = options_;
  state_.settings = context_.settings;
  save(true);
  if (!files_.take_place()) return;
  log_ = std::make_unique<RunLog>(files_.training(), context_.wall_clock);
  log_->rewind(state_.log_bytes, state_.step);
}

void Trainer::resume(const std::string& checkpoint) {
  const std::string changed = check_same_run(options_, context_.settings, read_checkpoint_state(checkpoint));
  log_ = std::make_unique<RunLog>(files_.training(), context_.wall_clock);
  restore(checkpoint);
  batches_ = static_cast<double>(std::max<int64_t>(1, model_.batches(state_.epoch)));
  saved_step_ = state_.step;
  publish();
  log(Severity::info, str_cat("resumed after step ", state_.step, changed.empty() ? "" : "; now with " + changed));
}

void Trainer::restore(const std::string& checkpoint) {
  state_ = read_checkpoint_state(checkpoint);
  state_.options = options_;
  state_.settings = context_.settings;
  load_parameters(open_tensors(checkpoint, "weights.safetensors"), named_);
  const std::string optimizer = "optimizer.safetensors", average = "average.safetensors";
  optimizer_.load_state(read_tensors(checkpoint, optimizer), checkpoint + "/" + optimizer);
  if (average_)
    average_->load_state(read_tensors(checkpoint, average), state_.average_updates, checkpoint + "/" + average);
  if (state_.average_begun >= 0) average_->begin_mean(state_.average_begun);
  const std::string carried = "carried.safetensors";
  model_.load_carried(read_tensors_if_any(checkpoint, carried), checkpoint + "/" + carried);
  clear_grads(params_);
  published_step_ = -1;
  history_ = state_.history();
  reductions_ = plateau_reductions(scores_of(history_, options_.keep), options_.schedule.patience, larger_is_better_);
  if (!log_->rewind(state_.log_bytes, state_.step))
    log(Severity::warning, files_.training() + "/log.jsonl: is shorter than it was; lines are missing");
}

void Trainer::step() {
  const double began = context_.clock();
  const Batches now = next_batches();
  batches_ = static_cast<double>(now.of_epoch);
  BatchResult sum;
  norm_ = std::numeric_limits<double>::quiet_NaN();
  const auto bad = run_batches(now, sum);
  if (bad && !handle_nonfinite(*bad)) return;
  if (!bad) update();
  const bool epoch_ended = go_on_behind(now);
  account(bad ? BatchResult{} : sum, began);
  after_step(epoch_ended);
}

Trainer::Batches Trainer::next_batches() {
  const int64_t batches = model_.batches(state_.epoch);
  check<FormatError>(batches > 0, "epoch ", state_.epoch, " has no batches: there is nothing to train on");
  check<ConfigError>(state_.batch < batches, "the checkpoint is at batch ", state_.batch, " of epoch ", state_.epoch,
                     ", which has ", batches, " now; has the data changed since?");
  return {.count = std::min(options_.accumulate, batches - state_.batch), .of_epoch = batches};
}

bool Trainer::go_on_behind(const Batches& done) {
  clear_grads(params_);
  ++state_.step;
  state_.batch += done.count;
  const bool epoch_ended = state_.batch == done.of_epoch;
  if (epoch_ended) ++state_.epoch, state_.batch = 0;
  return epoch_ended;
}

std::optional<std::string> Trainer::run_batches(const Batches& now, BatchResult& sum) {
  int64_t units = 0;
  for (int64_t k = 0; k < now.count; ++k) units += model_.units(state_.epoch, state_.batch + k);
  check<FormatError>(units > 0, "epoch ", state_.epoch, ", batch ", state_.batch, " of ", now.of_epoch, ": has no ",
                     model_.unit(), ", so there is nothing to learn from it");
  Noise noise{.seed = static_cast<uint64_t>(options_.seed), .step = static_cast<uint64_t>(state_.step + 1)};
  for (int64_t k = 0; k < now.count; ++k) {
    sum.add(model_.run(state_.epoch, state_.batch + k, 1.0 / static_cast<double>(units), noise));
    if (!std::isfinite(sum.loss)) return "the loss";
  }
  check<Error>(sum.units == units, "epoch ", state_.epoch, ", batch ", state_.batch, ": ", units, " ", model_.unit(),
               " were announced, ", sum.units, " were there");
  if (state_.epoch < options_.thaw_epochs) clear_grads(thawing_);
  norm_ = grad_norm_(params_);
  if (std::isfinite(norm_)) return std::nullopt;
  const auto name = first_non_finite_grad(params_);
  return name ? "the gradient of " + *name : "the norm of the gradient";
}

void Trainer::update() {
  const ScheduleTime now{.step = state_.step + 1, .epoch = state_.epoch, .reductions = reductions_};
  rate_ = learning_rate(options_.schedule, options_.optimizer.lr, now) * state_.lr_scale;
  optimizer_.step(rate_, clip_scale(norm_, options_.optimizer.clip));
  if (average_) average_->update();
  state_.skipped_in_row = 0;
}

void Trainer::account(const BatchResult& r, double began) {
  RunningSums& s = state_.since_log;
  s.batches.add(r);
  s.seconds += context_.clock() - began;
  state_.units += r.units;
  state_.seconds = seconds();
  if (context_.observer) {
    const double units = static_cast<double>(s.batches.units);
    context_.observer->progress({.step = state_.step,
                                 .epochs = epochs(),
                                 .loss = s.batches.loss / units,
                                 .lr = rate_,
                                 .grad_norm = norm_,
                                 .units_per_second = s.seconds > 0 ? units / s.seconds : 0,
                                 .unit = model_.unit(),
                                 .seconds = state_.seconds,
                                 .eta_seconds = eta()});
  }
  if (state_.step % options_.log_every != 0) return;
  log_->trained(state_, epochs(), rate_, norm_);
  s = {};
}

bool Trainer::handle_nonfinite(const std::string& what) {
  const std::string where = str_cat("step ", state_.step + 1, ": ", what, " is not finite (epoch ", state_.epoch,
                                    ", batch ", state_.batch, ")");
  if (options_.on_nonfinite == "rollback") return roll_back(where), false;
  const std::string advice = "; lower optimizer.lr, set optimizer.clip or a longer schedule.warmup";
  check<NumericError>(options_.on_nonfinite == "skip", where, advice, ", or set on_nonfinite to skip or rollback");
  ++state_.skipped;
  check<NumericError>(++state_.skipped_in_row <= options_.max_skips, where, ", and the ", options_.max_skips,
                      " updates before it were skipped already", advice);
  log_->incident("skip", state_.step + 1, what);
  log(Severity::warning, where + "; the update is skipped");
  return true;
}

void Trainer::roll_back(const std::string& what) {
  const int64_t rollbacks = state_.rollbacks + 1;
  const double scale = state_.lr_scale * kRollbackFactor;
  check<NumericError>(rollbacks <= options_.max_rollbacks, what, ", and training went back ", options_.max_rollbacks,
                      " times already; lower optimizer.lr or set optimizer.clip");
  const auto checkpoint = latest_valid(
      files_.training(), [&](const std::string& w) { log(Severity::warning, w); }, Wanted::scheduled);
  check<NumericError>(checkpoint.has_value(), what, ", and there is no whole checkpoint to go back to");
  restore(*checkpoint);
  state_.rollbacks = rollbacks;
  state_.lr_scale = scale;
  log_->incident("rollback", state_.step, what);
  log(Severity::warning, str_cat(what, "; back to step ", state_.step, " with ", scale, " of the learning rate"));
}

void Trainer::after_step(bool epoch_ended) {
  const bool validating = validation_due(epoch_ended);
  const bool scheduled = validating || save_scheduled();
  if (!scheduled && !save_timed()) return;
  // A checkpoint is something to go back to; one with NaN in it would not be.
  if (const auto bad = first_non_finite_value(params_)) {
    const std::string what = str_cat("step ", state_.step, ": the parameter ", *bad, " is not finite");
    check<NumericError>(
        options_.on_nonfinite == "rollback", what,
        "; start again with a lower optimizer.lr or with optimizer.clip, or set on_nonfinite = 'rollback'");
    return roll_back(what);
  }
  const double began = context_.clock();
  if (validating) state_.add(validate());
  save(scheduled);
  if (!validating) return;
  publish();
  validation_seconds_ = context_.clock() - began;
}

bool Trainer::validation_due(bool epoch_ended) const {
  const int64_t steps = options_.validate_every, epochs = options_.validate_every_epochs;
  return (steps > 0 && state_.step % steps == 0) || (epochs > 0 && epoch_ended && state_.epoch % epochs == 0);
}

bool Trainer::save_scheduled() const { return options_.save_every > 0 && state_.step % options_.save_every == 0; }

bool Trainer::save_timed() const {
  return options_.save_minutes > 0 && seconds() - saved_at_ >= 60 * options_.save_minutes;
}

std::string Trainer::stop_reason() const {
  const TrainOptions& o = options_;
  if (o.max_steps > 0 && state_.step >= o.max_steps) return "max_steps";
  if (o.max_epochs > 0 && state_.epoch >= o.max_epochs) return "max_epochs";
  // What is still to come is part of the time: a validation, which may take longer than the last one did, and another
  // one of the mean of the best weights.
  const double limit = 60 * o.max_minutes, closing = (o.average_best > 1 ? 2 : 1) * 1.25 * validation_seconds_;
  if (limit > 0 && seconds() + std::min(closing, limit / 2) >= limit) return "max_minutes";
  if (o.patience > 0 && scores_since_best(scores_of(history_, o.keep), larger_is_better_) >= o.patience)
    return "patience";
  return "";
}

double Trainer::eta() const {
  const double here = state_.seconds - seconds_before_;
  double left = std::numeric_limits<double>::infinity();
  const auto limit = [&](double all, double now, double before) {
    if (all > 0 && now > before) left = std::min(left, std::max(0.0, (all - now) * here / (now - before)));
  };
  limit(static_cast<double>(options_.max_steps), static_cast<double>(state_.step), static_cast<double>(steps_before_));
  limit(static_cast<double>(options_.max_epochs), epochs(), epochs_before_);
  if (options_.max_minutes > 0) left = std::min(left, std::max(0.0, 60 * options_.max_minutes - state_.seconds));
  return left;
}

}  // namespace detail

TrainResult train(Trainable& model, const TrainOptions& options, const RunContext& context) {
  return detail::Trainer(model, options, context).run();
}

}  // namespace lookback::train
