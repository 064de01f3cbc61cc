#include "lookback/metrics/forecast.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"

namespace lookback::metrics {
namespace {

using Windows = std::span<const ForecastWindow>;
using Numbers = std::span<const double>;

constexpr double kLeastGap = 1e-5;  // between levels, so that their names differ

// Both of a mean; sums of several windows add up.
struct Sum {
  double numerator = 0, denominator = 0;
  int64_t count = 0, skipped = 0;

  void add(double x) { numerator += x, denominator += 1, ++count; }
  void operator+=(const Sum& s) {
    numerator += s.numerator, denominator += s.denominator, count += s.count, skipped += s.skipped;
  }
};

enum class Scale { none, absolute, squared };

// One score: what is done with its sum.
struct Kind {
  std::string name;
  double factor = 1;
  bool root = false;
  Scale scale = Scale::none;  // a mean over windows, of their own means / scale
};

// The first scores; those of quantiles and samples follow.
enum { kMae, kMse, kRmse, kMape, kSmape, kMase, kRmsse, kPoint };

struct CentralInterval {
  size_t lower = 0, upper = 0;  // levels
};

std::vector<CentralInterval> central_intervals(const std::vector<double>& levels) {
  std::vector<CentralInterval> out;
  for (size_t i = 0; i < levels.size(); ++i)
    for (size_t j = i + 1; j < levels.size(); ++j)
      if (std::abs(levels[i] + levels[j] - 1) < 1e-9) out.push_back({i, j});
  return out;
}

std::vector<Kind> score_kinds(const std::vector<double>& levels, bool samples) {
  std::vector<Kind> out{{.name = "mae"},
                        {.name = "mse"},
                        {.name = "rmse", .root = true},
                        {.name = "mape", .factor = 100},
                        {.name = "smape", .factor = 100},
                        {.name = "mase", .scale = Scale::absolute},
                        {.name = "rmsse", .scale = Scale::squared}};
  if (!levels.empty()) {
    out.push_back({.name = "wql"});
    out.push_back({.name = "crps_quantiles"});
  }
  for (const double q : levels) {
    out.push_back({.name = str_cat("quantile_loss[", q, "]")});
    out.push_back({.name = str_cat("calibration[", q, "]"), .factor = 100});
  }
  for (const CentralInterval& c : central_intervals(levels)) {
    const std::string percent = str_cat("[", 100 * (levels[c.upper] - levels[c.lower]), "]");
    out.push_back({.name = "coverage" + percent, .factor = 100});
    out.push_back({.name = "width" + percent});
    out.push_back({.name = "msis" + percent, .scale = Scale::absolute});
  }
  if (samples) out.push_back({.name = "crps"});
  return out;
}

struct Tally {
  int64_t windows = 0, empty = 0, values = 0, missing = 0;
  std::vector<Sum> sums;

  void operator+=(const Tally& t) {
    windows += t.windows, empty += t.empty, values += t.values, missing += t.missing;
    sums.resize(t.sums.size());
    for (size_t k = 0; k < sums.size(); ++k) sums[k] += t.sums[k];
  }
};

// Absent where the history has nothing to say. `squared` is the mean of squares.
struct WindowScale {
  std::optional<double> absolute, squared;
};

// Windows of a series often have histories of which each begins with the one before it: what was seen of that is gone
// on from, so that all of them cost no more than the longest. The sums are those of each by itself, to the bit.
class HistoryReader {
 public:
  // How much of a history has been seen.
  size_t seen(Numbers history) const { return history.data() == begin_ && history.size() >= seen_ ? seen_ : 0; }
  void check_finite(Numbers history, size_t number) {
    const auto infinite = [](double x) { return std::isinf(x); };
    check<NumericError>(std::ranges::none_of(history.subspan(seen(history)), infinite), "forecast window ", number,
                        ": an actual or past value is infinite");
    begin_ = history.data(), seen_ = history.size();
  }
  WindowScale scale(Numbers history, int64_t seasonality) {
    const auto m = static_cast<size_t>(seasonality);
    size_t t = seen(history);
    if (t == 0) absolute_ = squared_ = pairs_ = 0;
    for (t = std::max(t, m); t < history.size(); ++t) {
      const double d = history[t] - history[t - m];
      if (std::isnan(d)) continue;
      absolute_ += std::abs(d), squared_ += d * d, pairs_ += 1;
    }
    begin_ = history.data(), seen_ = history.size();
    check<NumericError>(std::isfinite(squared_),
                        "forecast scores: the squares of a history are beyond double; scale it");
    WindowScale out;
    if (absolute_ > 0) out.absolute = absolute_ / pairs_;
    if (squared_ > 0) out.squared = squared_ / pairs_;  // squares of the smallest numbers are 0
    return out;
  }

 private:
  const double* begin_ = nullptr;
  size_t seen_ = 0;
  double absolute_ = 0, squared_ = 0, pairs_ = 0;
};

double value_of(const Kind& kind, const Sum& sum) {
  const double mean = sum.numerator / sum.denominator;
  const double value = kind.factor * (kind.root ? std::sqrt(mean) : mean);
  check<NumericError>(std::isfinite(value), "forecast scores: ", kind.name,
                      sum.denominator == 0 ? " has only zeros to divide by" : " is beyond double; scale the series");
  return value;
}

double pinball(double q, double y, double f) { return std::max(q * (y - f), (q - 1) * (y - f)); }

class Scorer {
 public:
  Scorer(Windows windows, const ForecastScoring& scoring);

  const Kind& kind(size_t k) const { return kinds_[k]; }
  StringList names() const;
  // What a window, or this step of it, adds to the scores. `for_step(h, tally)` is called for every step.
  template <class F>
  Tally window(const ForecastWindow& w, F&& for_step);
  ForecastScores scores(const Tally& tally) const;

 private:
  void check_window(const ForecastWindow& w, size_t number, HistoryReader& histories) const;
  Tally step(const ForecastWindow& w, size_t h);
  void add_quantiles(const ForecastWindow& w, size_t h, Sum* sums) const;
  double crps(const ForecastWindow& w, size_t h);
  Tally scaled(Tally tally, const WindowScale& scale) const;

  const ForecastScoring& scoring_;
  std::vector<CentralInterval> intervals_;
  bool samples_;
  std::vector<Kind> kinds_;
  std::vector<double> sorted_;  // of crps
  HistoryReader histories_;
};

Scorer::Scorer(Windows windows, const ForecastScoring& scoring) : scoring_(scoring) {
  check<ShapeError>(!windows.empty(), "forecast scores: there are no windows");
  check<ConfigError>(scoring.seasonality >= 1, "forecast scores: the seasonality is ", scoring.seasonality,
                     "; it must be 1 or more");
  const std::vector<double>& levels = scoring.levels;
  for (size_t k = 0; k < levels.size(); ++k) {
    check<ConfigError>(levels[k] > 0 && levels[k] < 1, "forecast scores: a level is ", levels[k],
                       "; it must lie between 0 and 1");
    check<ConfigError>(k == 0 || levels[k] - levels[k - 1] >= kLeastGap, "forecast scores: level ", levels[k],
                       " comes after ", levels[k - 1], "; give levels in rising order, each once");
  }
  samples_ = !windows[0].samples.empty();
  HistoryReader histories;
  for (size_t k = 0; k < windows.size(); ++k) check_window(windows[k], k + 1, histories);
  intervals_ = central_intervals(levels);
  kinds_ = score_kinds(levels, samples_);
}

void Scorer::check_window(const ForecastWindow& w, size_t number, HistoryReader& histories) const {
  const size_t steps = w.actual.size(), levels = scoring_.levels.size();
  check<ShapeError>(steps > 0, "forecast window ", number, ": it has no steps");
  check<ShapeError>(w.point.size() == steps, "forecast window ", number, ": ", w.point.size(), " point forecasts for ",
                    steps, " steps");
  check<ShapeError>(w.quantiles.size() == levels * steps, "forecast window ", number, ": ", w.quantiles.size(),
                    " quantiles for ", levels, " levels and ", steps, " steps");
  check<ShapeError>(w.samples.size() % steps == 0, "forecast window ", number, ": ", w.samples.size(),
                    " numbers of sampled paths of ", steps, " steps");
  check<ShapeError>(w.samples.empty() != samples_, "forecast window ", number, samples_ ? " has no" : " has",
                    " samples, and window 1 is not like that");
  const auto finite = [](double x) { return std::isfinite(x); };
  const auto infinite = [](double x) { return std::isinf(x); };
  check<NumericError>(std::ranges::all_of(w.point, finite) && std::ranges::all_of(w.quantiles, finite) &&
                          std::ranges::all_of(w.samples, finite),
                      "forecast window ", number, ": a forecast is not finite");
  check<NumericError>(std::ranges::none_of(w.actual, infinite), "forecast window ", number,
                      ": an actual or past value is infinite");
  histories.check_finite(w.history, number);
}

StringList Scorer::names() const {
  StringList out;
  for (const Kind& kind : kinds_) out.push_back(kind.name);
  return out;
}

template <class F>
Tally Scorer::window(const ForecastWindow& w, F&& for_step) {
  const WindowScale scale = histories_.scale(w.history, scoring_.seasonality);
  Tally sum;
  for (size_t h = 0; h < w.actual.size(); ++h) {
    const Tally one = step(w, h);
    for_step(h, scaled(one, scale));
    sum += one;
  }
  return scaled(std::move(sum), scale);
}

// One step as it is; mase, rmsse and msis hold errors.
Tally Scorer::step(const ForecastWindow& w, size_t h) {
  Tally out;
  out.sums.resize(kinds_.size());
  const double y = w.actual[h];
  if (std::isnan(y)) {
    out.missing = 1;
    return out;
  }
  out.values = 1;
  Sum* sums = out.sums.data();
  const double e = std::abs(w.point[h] - y), both = std::abs(w.point[h]) + std::abs(y);
  for (const int k : {kMae, kMase}) sums[k].add(e);
  for (const int k : {kMse, kRmse, kRmsse}) sums[k].add(e * e);
  if (y == 0)
    sums[kMape].skipped = 1;
  else
    sums[kMape].add(e / std::abs(y));
  sums[kSmape].add(both == 0 ? 0 : e / both);
  if (!scoring_.levels.empty()) add_quantiles(w, h, sums + kPoint);
  if (samples_) out.sums.back().add(crps(w, h));
  return out;
}

// In the order of score_kinds.
void Scorer::add_quantiles(const ForecastWindow& w, size_t h, Sum* sums) const {
  const std::vector<double>& levels = scoring_.levels;
  const double y = w.actual[h];
  const auto forecast = [&](size_t q) { return w.quantiles[q * w.actual.size() + h]; };
  Sum &wql = *sums++, &crps = *sums++;
  double total = 0;
  for (size_t q = 0; q < levels.size(); ++q) {
    const double f = forecast(q), loss = pinball(levels[q], y, f);
    total += loss;
    (sums++)->add(loss);
    (sums++)->add(y <= f ? 1 : 0);
  }
  const double mean = 2 * total / static_cast<double>(levels.size());
  wql = {.numerator = mean, .denominator = std::abs(y), .count = 1};
  crps.add(mean);
  for (const CentralInterval& c : intervals_) {
    const double lower = forecast(c.lower), upper = forecast(c.upper), alpha = 2 * levels[c.lower];
    const double outside = y < lower ? lower - y : y > upper ? y - upper : 0;
    (sums++)->add(lower <= y && y <= upper ? 1 : 0);
    (sums++)->add(upper - lower);
    (sums++)->add(upper - lower + 2 / alpha * outside);
  }
}

// With d_k = x_k - y sorted, k from 0: sum_ij |x_i - x_j| / 2 = sum_k (2k - S + 1) d_k.
double Scorer::crps(const ForecastWindow& w, size_t h) {
  sorted_.clear();
  for (size_t at = h; at < w.samples.size(); at += w.actual.size()) sorted_.push_back(w.samples[at] - w.actual[h]);
  std::ranges::sort(sorted_);
  const auto S = static_cast<double>(sorted_.size());
  double from_actual = 0, from_each_other = 0;
  for (size_t k = 0; k < sorted_.size(); ++k) {
    from_actual += std::abs(sorted_[k]);
    from_each_other += (2 * static_cast<double>(k) - S + 1) * sorted_[k];
  }
  return from_actual / S - from_each_other / (S * S);
}

// Errors of a window, or of a step, become its one scaled error.
Tally Scorer::scaled(Tally tally, const WindowScale& scale) const {
  (tally.values > 0 ? tally.windows : tally.empty) = 1;
  for (size_t k = 0; k < kinds_.size(); ++k) {
    Sum& sum = tally.sums[k];
    if (kinds_[k].scale == Scale::none || sum.count == 0) continue;
    const bool squared = kinds_[k].scale == Scale::squared;
    const std::optional<double>& by = squared ? scale.squared : scale.absolute;
    const double mean = sum.numerator / sum.denominator;
    sum = {};
    if (by)
      sum.add(squared ? std::sqrt(mean / *by) : mean / *by);
    else
      sum.skipped = 1;
  }
  return tally;
}

ForecastScores Scorer::scores(const Tally& tally) const {
  ForecastScores out{
      .windows = tally.windows, .empty = tally.empty, .values = tally.values, .missing = tally.missing, .scores = {}};
  for (size_t k = 0; k < kinds_.size(); ++k) {
    const Sum& sum = tally.sums[k];
    if (sum.denominator > 0)
      out.scores.push_back({value_of(kinds_[k], sum), sum.count, sum.skipped});
    else
      out.scores.push_back({{}, 0, sum.count + sum.skipped});
  }
  return out;
}

size_t find_score(const StringList& names, std::string_view name) {
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) throw ConfigError(str_cat("unknown forecast score '", name, "'", nearest_match(name, names)));
  return static_cast<size_t>(at - names.begin());
}

// What every window adds to one score.
struct ScoreSums {
  Kind kind;
  std::vector<Sum> windows;
};

ScoreSums sums_by_window(Windows windows, const ForecastScoring& scoring, std::string_view score) {
  Scorer scorer(windows, scoring);
  const size_t at = find_score(scorer.names(), score);
  ScoreSums out{.kind = scorer.kind(at), .windows = {}};
  for (const ForecastWindow& w : windows) out.windows.push_back(scorer.window(w, [](size_t, const Tally&) {}).sums[at]);
  return out;
}

// Numbers of the windows that have the score.
std::vector<size_t> windows_with(const ScoreSums& sums) {
  std::vector<size_t> out;
  for (size_t k = 0; k < sums.windows.size(); ++k)
    if (sums.windows[k].count > 0) out.push_back(k);
  check<FormatError>(!out.empty(), "forecast interval: no window has ", sums.kind.name);
  return out;
}

double score_of(const ScoreSums& sums, const std::vector<size_t>& windows, std::span<const int64_t> drawn) {
  Sum sum;
  for (const int64_t k : drawn) sum += sums.windows[windows[static_cast<size_t>(k)]];
  return value_of(sums.kind, sum);
}

bool same(Numbers a, Numbers b) {
  return std::ranges::equal(a, b, [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

}  // namespace

size_t ForecastReport::find(std::string_view name) const { return find_score(names, name); }

ForecastReport score_forecasts(Windows windows, const ForecastScoring& scoring) {
  Scorer scorer(windows, scoring);
  Tally overall;
  std::map<int64_t, Tally> by_series;
  std::vector<Tally> by_step;
  for (const ForecastWindow& w : windows) {
    by_step.resize(std::max(by_step.size(), w.actual.size()));
    const Tally tally = scorer.window(w, [&](size_t h, const Tally& step) { by_step[h] += step; });
    overall += tally;
    by_series[w.series] += tally;
  }
  ForecastReport out{.names = scorer.names(), .overall = scorer.scores(overall), .by_series = {}, .by_step = {}};
  for (const auto& [series, tally] : by_series) out.by_series.emplace(series, scorer.scores(tally));
  for (const Tally& tally : by_step) out.by_step.push_back(scorer.scores(tally));
  return out;
}

Interval forecast_interval(Windows windows, const ForecastScoring& scoring, std::string_view score,
                           const BootstrapOptions& options) {
  const ScoreSums sums = sums_by_window(windows, scoring, score);
  const std::vector<size_t> with = windows_with(sums);
  return bootstrap_interval(
      std::ssize(with), [&](std::span<const int64_t> drawn) { return score_of(sums, with, drawn); }, options);
}

Interval forecast_difference_interval(Windows a, Windows b, const ForecastScoring& scoring, std::string_view score,
                                      const BootstrapOptions& options) {
  check<ShapeError>(a.size() == b.size(), "forecast interval: ", a.size(), " windows beside ", b.size());
  for (size_t k = 0; k < a.size(); ++k)
    check<ShapeError>(a[k].series == b[k].series && same(a[k].actual, b[k].actual) && same(a[k].history, b[k].history),
                      "forecast interval: window ", k + 1,
                      " has not the same series, actual values and history in both");
  const ScoreSums of_a = sums_by_window(a, scoring, score), of_b = sums_by_window(b, scoring, score);
  const std::vector<size_t> with = windows_with(of_a);  // the actual values and the history say which
  return bootstrap_interval(
      std::ssize(with),
      [&](std::span<const int64_t> drawn) { return score_of(of_a, with, drawn) - score_of(of_b, with, drawn); },
      options);
}

}  // namespace lookback::metrics
