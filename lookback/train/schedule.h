// Learning rates over time: pure functions of where training is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::train {

struct ScheduleOptions {
  std::string kind = "constant";
  int64_t warmup = 0;
  int64_t total = 0;
  double decay = 0.5;
  std::string decay_by = "epochs";
  int64_t decay_after = 1;
  double factor = 0.5;
  int64_t patience = 2;
  double min_lr = 0;

  void fields(FieldVisitor& v);
};

// Throws ConfigError: cosine without `total` (max_steps, if above 0, stands in for it) in a run without another limit,
// warmup beyond total, decay_by time. Returns the options with `total` filled in; 0: found when training begins.
// limited: whether max_minutes or max_epochs end the run.
ScheduleOptions resolved(ScheduleOptions options, int64_t max_steps, bool limited);

// Where training is. Nothing else enters, so a run that is resumed sees the same rates.
struct ScheduleTime {
  int64_t step = 1;        // the update the rate is for, from 1
  int64_t epoch = 0;       // from 0
  int64_t reductions = 0;  // how often the plateau rule has fired, see plateau_reductions
};

// With lr the peak, w the warm-up and s the step:
//   constant      lr
//   inverse_sqrt  lr * sqrt(w / s) after the warm-up (Vaswani et al. 2017, scaled to peak at lr)
//   cosine        min_lr + (lr - min_lr) * (1 + cos(pi * (s - w) / (total - w))) / 2 (Loshchilov and Hutter 2017)
//   exponential   lr * decay ^ max(0, n - decay_after), n the number, from 1, of the epoch or step
//   plateau       lr * factor ^ reductions
// never below min_lr, and all of them times s / w during the warm-up.
double learning_rate(const ScheduleOptions& options, double lr, const ScheduleTime& time);

// How often a rate that is cut after `patience` scores in a row without a new best has been cut.
// torch.optim.lr_scheduler.ReduceLROnPlateau(patience = p) bears one more: it is p + 1 here.
int64_t plateau_reductions(const std::vector<double>& scores, int64_t patience, bool larger_is_better);

// Of the first score that is worse than the best of all but the last `interval` before it, its number from 0; -1 if
// there is none (the trigger of NT-ASGD: Merity et al. 2018, algorithm 1, with t > n for the scores before it).
int64_t nonmonotone_trigger(const std::vector<double>& scores, int64_t interval, bool larger_is_better);

// Scores since the best one; the first of equal ones is the best, NaN never is.
int64_t scores_since_best(const std::vector<double>& scores, bool larger_is_better);

// Whether a is the better score. A number is better than NaN; NaN is better than nothing.
bool is_better_score(double a, double b, bool larger_is_better);

}  // namespace lookback::train
