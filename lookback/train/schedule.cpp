#include "lookback/train/schedule.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"

namespace lookback::train {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Calls on_score(whether this is a new best) for every score in order.
template <class F>
void for_each_score(const std::vector<double>& scores, bool larger_is_better, F&& on_score) {
  bool any = false;
  double best = 0;
  for (const double s : scores) {
    const bool is_best = !std::isnan(s) && (!any || is_better_score(s, best, larger_is_better));
    if (is_best) best = s, any = true;
    on_score(is_best);
  }
}

double rate_after_warmup(const ScheduleOptions& o, double lr, const ScheduleTime& time) {
  const double step = static_cast<double>(time.step), warmup = static_cast<double>(o.warmup);
  if (o.kind == "inverse_sqrt") return lr * std::sqrt(std::max(1.0, warmup) / std::max({1.0, warmup, step}));
  if (o.kind == "cosine") {
    const double done = std::clamp((step - warmup) / (static_cast<double>(o.total) - warmup), 0.0, 1.0);
    return o.min_lr + (lr - o.min_lr) * (1 + elementary::cos(kPi * done)) / 2;
  }
  if (o.kind == "exponential") {
    const int64_t n = o.decay_by == "epochs" ? time.epoch + 1 : time.step;
    return lr * elementary::pow(o.decay, static_cast<double>(std::max<int64_t>(0, n - o.decay_after)));
  }
  if (o.kind == "plateau") return lr * elementary::pow(o.factor, static_cast<double>(time.reductions));
  check<ConfigError>(o.kind == "constant", "schedule.kind = '", o.kind, "' is not known",
                     nearest_match(o.kind, {"constant", "inverse_sqrt", "cosine", "exponential", "plateau"}));
  return lr;
}

}  // namespace

void ScheduleOptions::fields(FieldVisitor& v) {
  v("kind", kind, "how the learning rate changes")
      .choices({"constant", "inverse_sqrt", "cosine", "exponential", "plateau"});
  v("warmup", warmup, "steps over which the rate rises from 0 to lr, for every kind; 0 is off").range(0, 1e12);
  v("total", total,
    "cosine: the step at which min_lr is reached; 0 takes max_steps, or how many steps max_epochs have and max_minutes "
    "hold, which is measured")
      .range(0, 1e15);
  v("decay", decay, "exponential: what the rate is multiplied by each time").range(1e-9, 1);
  v("decay_by", decay_by, "exponential: every 'epochs' or 'steps'; not by time, which no resumed run could repeat");
  v("decay_after", decay_after, "exponential: epochs or steps at the full rate before the first cut").range(0, 1e15);
  v("factor", factor, "plateau: what the rate is multiplied by").range(1e-9, 1);
  v("patience", patience, "plateau: validations in a row without a better score before each cut").range(1, 1e9);
  v("min_lr", min_lr, "the rate never falls below this, warm-up apart").range(0, 1000);
}

ScheduleOptions resolved(ScheduleOptions o, int64_t max_steps, bool limited) {
  check<ConfigError>(o.decay_by != "time",
                     "schedule.decay_by = 'time' is not offered: a run that is resumed could not repeat its learning "
                     "rates; use 'steps' or 'epochs'");
  check<ConfigError>(o.decay_by == "steps" || o.decay_by == "epochs", "schedule.decay_by = '", o.decay_by,
                     "' is not one of steps, epochs", nearest_match(o.decay_by, {"steps", "epochs"}));
  if (o.kind == "cosine") {
    if (o.total == 0) o.total = max_steps;
    check<ConfigError>(o.total > 0 || limited,
                       "schedule.total (steps) must be set for a cosine where none of max_steps, max_epochs and "
                       "max_minutes is: how many steps there will be is not known beforehand");
    check<ConfigError>(o.total == 0 || o.warmup < o.total, "schedule.warmup = ", o.warmup,
                       " must be less than schedule.total = ", o.total);
  }
  return o;
}

double learning_rate(const ScheduleOptions& o, double lr, const ScheduleTime& time) {
  const double rate = std::max(rate_after_warmup(o, lr, time), o.min_lr);
  return time.step < o.warmup ? rate * static_cast<double>(time.step) / static_cast<double>(o.warmup) : rate;
}

int64_t plateau_reductions(const std::vector<double>& scores, int64_t patience, bool larger_is_better) {
  int64_t reductions = 0, waited = 0;
  for_each_score(scores, larger_is_better, [&](bool is_best) {
    waited = is_best ? 0 : waited + 1;
    if (waited == patience) ++reductions, waited = 0;
  });
  return reductions;
}

int64_t nonmonotone_trigger(const std::vector<double>& scores, int64_t interval, bool larger_is_better) {
  double best = std::numeric_limits<double>::quiet_NaN();
  for (int64_t k = interval + 1; k < std::ssize(scores); ++k) {
    const double before = scores[static_cast<size_t>(k - interval - 1)];
    if (is_better_score(before, best, larger_is_better)) best = before;
    if (is_better_score(best, scores[static_cast<size_t>(k)], larger_is_better)) return k;
  }
  return -1;
}

int64_t scores_since_best(const std::vector<double>& scores, bool larger_is_better) {
  int64_t waited = 0;
  for_each_score(scores, larger_is_better, [&](bool is_best) { waited = is_best ? 0 : waited + 1; });
  return waited;
}

bool is_better_score(double a, double b, bool larger_is_better) {
  if (std::isnan(a)) return false;
  return std::isnan(b) || (larger_is_better ? a > b : a < b);
}

}  // namespace lookback::train
