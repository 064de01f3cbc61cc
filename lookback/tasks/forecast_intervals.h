// Private to tasks: how far intervals of forecasts have to reach to hold as often as they say.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookback::tasks {

// How far an interval that should hold so many percent of what comes has to reach beyond the model's own, or its point
// where it has none: so far that it would have held them on the validation part. Split-conformal prediction (Vovk et
// al. 2005), for quantiles that of Romano, Patterson and Candes 2019, in units of how much the values of the history
// spread (Lei et al. 2018), so that quiet times have narrower intervals; each step of the horizon for itself.
struct ConformalMargin {
  double percent = 0;
  std::vector<double> margins;  // [H], times kLeastSpread + the deviation of the history's scaled values
};

// The least margin m such that ceil((n + 1) percent / 100) of the n misses are at most m, the largest where these are
// more than there are. `misses` are how far beyond its interval each value lay, negative inside; at least one.
double conformal_margin(std::vector<double> misses, double percent);

// The latest of some numbers that come one by one, in order: conformal_margin() of them, at the price of a few moves.
class LatestMisses {
 public:
  // Of the last `most` that came, at least one.
  explicit LatestMisses(int64_t most) : ring_(static_cast<size_t>(most)) {}

  // NaN takes a place among the latest, and counts for nothing.
  void add(double miss);
  int64_t size() const { return std::ssize(sorted_); }  // that count
  double margin(double percent) const;                  // size() > 0

 private:
  std::vector<double> ring_, sorted_;
  size_t next_ = 0;
  bool full_ = false;
};

// With fewer outcomes a rolling margin is none: neighbours are so alike that these say less than their number.
constexpr int64_t kLeastRecent = 100;

// Rolling split-conformal prediction, each step of the horizon for itself (MSCP of Wang and Hyndman 2024): the margins
// of one step of one series, by the forecasts whose values came last. misses[s] is how far beyond its interval the
// value lay that came `step` steps after origin s (0: at once), NaN where it is not known. Of the result [misses + 1],
// k is the margin for a forecast from origin k: conformal_margin() of misses[s] for the latest `recent` of those s of
// which the value is before k, s + step < k; NaN where they are fewer than kLeastRecent, or than a `recent` below it.
std::vector<double> rolling_margins(std::span<const double> misses, int64_t step, double percent, int64_t recent);

}  // namespace lookback::tasks
