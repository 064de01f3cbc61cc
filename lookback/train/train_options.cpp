#include "lookback/train/train_options.h"

#include "lookback/base/error.h"

namespace lookback::train {

void TrainOptions::fields(FieldVisitor& v) {
  v("max_minutes", max_minutes,
    "stop after this much time, resumed parts and all validation included; the first of max_* reached ends training; "
    "0 is no limit")
      .range(0, 1e7);
  v("max_steps", max_steps, "stop after this many steps; 0 is no limit").range(0, 1e15);
  v("max_epochs", max_epochs, "stop after this many passes over the data; 0 is no limit").range(0, 1e12);
  v("validate_every", validate_every, "steps between validations; 0 is off").range(0, 1e15);
  v("validate_every_epochs", validate_every_epochs,
    "epochs between validations; 0 is off, or 1 if validate_every is 0 too")
      .range(0, 1e12);
  v("keep", keep, "the validation score that picks the best weights, ends training early and drives the plateau rule");
  v("patience", patience, "stop after this many validations in a row without a better score; 0 is off").range(0, 1e9);
  v("accumulate", accumulate, "batches whose gradients make up one step, without holding them at once").range(1, 1e6);
  v("freeze", freeze,
    "parameters that keep their values, by name, `*` standing for any characters: [\"encoder.*\"]; inspect lists "
    "names");
  v("thaw_epochs", thaw_epochs, "epochs after which those that freeze names are trained, too; 0: never").range(0, 1e12);
  v("optimizer", optimizer);
  v("schedule", schedule);
  v("ema", ema, "decay of a running mean of the weights, used for validation and saving, for example 0.999; 0 is off")
      .range(0, 0.9999999);
  v("average_best", average_best,
    "at the end also score the mean of the weights of this many best validations, and keep it if it is better; 0 is "
    "off")
      .range(0, 100);
  v("on_nonfinite", on_nonfinite,
    "when a loss or gradient is not finite: stop; skip that update; or rollback to the last checkpoint with half the "
    "learning rate")
      .choices({"stop", "skip", "rollback"});
  v("max_skips", max_skips, "skip: updates in a row that may be skipped before training stops").range(1, 1e9);
  v("max_rollbacks", max_rollbacks, "rollback: times to go back before training stops").range(1, 1000);
  v("precision", precision,
    "what the factors of matrix products are rounded to: f32; bf16; auto: bf16 where the processor is faster at it, "
    "else f32. Weights and sums stay in f32")
      .choices({"f32", "bf16", "auto"});
  v("seed", seed, "names the random numbers of the run").range(0, 9e15);
  v("save_every", save_every, "steps between checkpoints, beside those after each validation; 0 is off").range(0, 1e15);
  v("save_minutes", save_minutes, "minutes between checkpoints, beside the others; 0 is off").range(0, 1e7);
  v("log_every", log_every, "steps between lines in log.jsonl").range(1, 1e12);
  v("samples", samples, "examples of validation kept in the log and in TensorBoard").range(0, 1000);
}

TrainOptions resolved(TrainOptions o) {
  check<ConfigError>(o.max_minutes > 0 || o.max_steps > 0 || o.max_epochs > 0 || o.patience > 0,
                     "training would never end: set max_minutes, max_steps, max_epochs or patience");
  check<ConfigError>(o.ema == 0 || !o.optimizer.averaged,
                     "ema and optimizer.averaged both replace the weights by an average: choose one");
  check<ConfigError>(o.on_nonfinite == "stop" || o.on_nonfinite == "skip" || o.on_nonfinite == "rollback",
                     "on_nonfinite = '", o.on_nonfinite, "' is not one of stop, skip, rollback");
  check<ConfigError>(o.thaw_epochs == 0 || !o.freeze.empty(), "train.thaw_epochs = ", o.thaw_epochs,
                     " has no meaning without train.freeze, which names what is frozen until then");
  o.optimizer = resolved(o.optimizer);
  o.schedule = resolved(o.schedule, o.max_steps, o.max_minutes > 0 || o.max_epochs > 0);
  if (o.validate_every == 0 && o.validate_every_epochs == 0) o.validate_every_epochs = 1;
  return o;
}

}  // namespace lookback::train
