#include "lookback/tasks/forecast_intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/tasks/forecast.h"

namespace lookback::tasks {
namespace {

using Window = ForecastWindows::Window;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kLeastSpread = 1e-3;  // of scaled values: a history may be constant

// Which of n sorted misses is the margin.
size_t place_of_margin(size_t n, double percent) {
  const auto count = static_cast<double>(n);
  return static_cast<size_t>(std::clamp(std::ceil((count + 1) * percent / 100), 1.0, count)) - 1;
}

// What calibrated margins are multiples of.
double spread_of(const SplitSeries& series, int64_t origin, int64_t history) {
  Moments moments;
  for (auto t = static_cast<size_t>(std::max<int64_t>(0, origin - history)); t < static_cast<size_t>(origin); ++t)
    if (series.series.known[t]) moments.add(static_cast<float>(series.scaled[t]));
  return kLeastSpread + moments.deviation();
}

// How far a value lies beyond interval k of what was forecast of it, negative inside.
double miss_of(const ForecastRows& rows, int64_t n, int64_t h, size_t k, double value) {
  const auto ends = rows.step(n, h).subspan(1 + rows.levels.size() + 2 * k);
  return std::max(ends[0] - value, value - ends[1]);
}

// Ends never pass each other.
void widen(ForecastRows& rows, int64_t n, int64_t h, size_t k, double margin) {
  double* const ends =
      rows.values.data() + static_cast<size_t>(n * rows.horizon + h) * rows.columns() + 1 + rows.levels.size() + 2 * k;
  const double middle = (ends[0] + ends[1]) / 2;
  ends[0] = std::min(ends[0] - margin, middle), ends[1] = std::max(ends[1] + margin, middle);
}

// The networks' margins by the validation part, [intervals][H] one after the other.
std::vector<double> validation_margins(Forecast::Networks networks, const ForecastRows& rows) {
  std::vector<double> out;
  for (const double percent : rows.intervals)
    for (size_t h = 0; h < static_cast<size_t>(rows.horizon); ++h) {
      double& sum = out.emplace_back(0);
      for (const Forecast::Network* const network : networks)
        sum += network->margin(percent)->margins[h] / static_cast<double>(networks.size());
    }
  return out;
}

// Misses of the origins [begin, end) of one series, [intervals][H][origins], of values before `end`.
struct Misses {
  int64_t begin = 0, end = 0;
  std::vector<double> values;

  int64_t size() const { return end - begin; }
  std::span<double> of(size_t k, int64_t horizon, int64_t h) {
    return std::span(values).subspan(
        (k * static_cast<size_t>(horizon) + static_cast<size_t>(h)) * static_cast<size_t>(size()),
        static_cast<size_t>(size()));
  }
  void take(const ForecastRows& rows, int64_t n, int64_t origin, const SplitSeries& series) {
    for (int64_t h = 0; h < rows.horizon && origin + h < end; ++h) {
      const auto t = static_cast<size_t>(origin + h);
      for (size_t k = 0; k < rows.intervals.size() && series.series.known[t]; ++k)
        of(k, rows.horizon, h)[static_cast<size_t>(origin - begin)] = miss_of(rows, n, h, k, series.scaled[t]);
    }
  }
};

// Those of before each of the members, which are windows of one series and rows of `rows`. Origins that are not among
// the members are forecast.
template <class Forecasts>
Misses misses_before(const ForecastRows& rows, std::span<const Window> windows, std::span<const int64_t> members,
                     const SplitSeries& series, const Forecast::Options& options, Forecasts&& forecast) {
  std::map<int64_t, int64_t> row_of;  // an origin's
  for (const int64_t n : members) row_of[windows[static_cast<size_t>(n)].origin] = n;
  const int64_t first = row_of.begin()->first, which = windows[static_cast<size_t>(members[0])].series;
  Misses out{.end = row_of.rbegin()->first, .values = {}};
  out.begin = std::min(out.end, std::max({first - rows.horizon + 1 - options.recent, series.learnt, int64_t{1}}));
  out.values.assign(rows.intervals.size() * static_cast<size_t>(rows.horizon * out.size()), kNone);
  std::vector<Window> others;
  const auto flush = [&] {
    const ForecastRows said = forecast(std::span<const Window>(others));
    for (int64_t n = 0; n < std::ssize(others); ++n) out.take(said, n, others[static_cast<size_t>(n)].origin, series);
    others.clear();
  };
  for (int64_t origin = out.begin; origin < out.end; ++origin) {
    const auto found = row_of.find(origin);
    if (found != row_of.end())
      out.take(rows, found->second, origin, series);
    else
      others.push_back({which, origin});
    if (std::ssize(others) == options.batch) flush();
  }
  if (!others.empty()) flush();
  return out;
}

}  // namespace

double conformal_margin(std::vector<double> misses, double percent) {
  check(!misses.empty(), "conformal_margin: no misses");
  const size_t k = place_of_margin(misses.size(), percent);
  std::ranges::nth_element(misses, misses.begin() + static_cast<std::ptrdiff_t>(k));
  return misses[k];
}

void LatestMisses::add(double miss) {
  const double oldest = full_ ? ring_[next_] : kNone;
  ring_[next_] = miss;
  next_ = (next_ + 1) % ring_.size();
  full_ |= next_ == 0;
  const auto place = [&](double x) { return std::ranges::lower_bound(sorted_, x); };
  if (std::isnan(oldest)) {
    if (!std::isnan(miss)) sorted_.insert(place(miss), miss);
  } else if (std::isnan(miss)) {
    sorted_.erase(place(oldest));
  } else {
    // One leaves and one comes: only those between them move.
    const auto from = place(oldest), to = place(miss);
    if (from < to) {
      std::copy(from + 1, to, from);
      *(to - 1) = miss;
    } else {
      std::copy_backward(to, from, from + 1);
      *to = miss;
    }
  }
}

double LatestMisses::margin(double percent) const { return sorted_[place_of_margin(sorted_.size(), percent)]; }

std::vector<double> rolling_margins(std::span<const double> misses, int64_t step, double percent, int64_t recent) {
  std::vector<double> out(misses.size() + 1, kNone);
  LatestMisses latest(std::clamp<int64_t>(std::ssize(misses), 1, recent));
  for (int64_t k = step + 1; k < std::ssize(out); ++k) {
    latest.add(misses[static_cast<size_t>(k - step - 1)]);
    if (latest.size() >= std::min(recent, kLeastRecent)) out[static_cast<size_t>(k)] = latest.margin(percent);
  }
  return out;
}

ForecastRows forecast_rows(Forecast::Networks networks, std::span<const SplitSeries> series,
                           std::span<const SeriesVariables> variables, std::span<const Window> windows,
                           const Forecast::Options& options) {
  const auto forecast = [&](std::span<const Window> of) {
    return model_rows(networks, series, variables, of, options);
  };
  ForecastRows rows = forecast(windows);
  if (!options.calibrated() || rows.intervals.empty()) return rows;
  const int64_t H = rows.horizon, history = networks[0]->config.history;
  const std::vector<double> fixed = validation_margins(networks, rows);
  std::map<int64_t, std::vector<int64_t>> by_series;  // which windows are of it
  for (int64_t n = 0; n < std::ssize(windows); ++n) by_series[windows[static_cast<size_t>(n)].series].push_back(n);
  for (const auto& [which, members] : by_series) {
    const SplitSeries& s = series[static_cast<size_t>(which)];
    Misses misses;
    if (options.intervals == "rolling") misses = misses_before(rows, windows, members, s, options, forecast);
    std::vector<double> spreads;
    for (const int64_t n : members) spreads.push_back(spread_of(s, windows[static_cast<size_t>(n)].origin, history));
    parallel_for(H * std::ssize(rows.intervals), 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const auto k = static_cast<size_t>(i / H);
        const std::vector<double> rolling =
            rolling_margins(misses.of(k, H, i % H), i % H, rows.intervals[k], options.recent);
        for (size_t m = 0; m < members.size(); ++m) {
          const int64_t at = windows[static_cast<size_t>(members[m])].origin - misses.begin;
          const double margin = 0 <= at && at < std::ssize(rolling) ? rolling[static_cast<size_t>(at)] : kNone;
          widen(rows, members[m], i % H, k, std::isnan(margin) ? fixed[static_cast<size_t>(i)] * spreads[m] : margin);
        }
      }
    });
  }
  return rows;
}

std::vector<ConformalMargin> conformal_margins(const Forecast::Network& network, const ForecastWindows& data,
                                               const StringList& intervals) {
  Forecast::Options options;
  options.levels = intervals, options.intervals = "model";
  const Forecast::Network* const one = &network;
  std::vector<Window> windows;
  for (int64_t k = 0; k < data.size(); ++k) windows.push_back(data.window(k));
  const auto& series = data.table().series;
  const ForecastRows rows = model_rows({&one, 1}, series, data.variables(), windows, options);
  std::vector<double> spreads;
  for (const Window& w : windows)
    spreads.push_back(spread_of(series[static_cast<size_t>(w.series)], w.origin, network.config.history));
  std::vector<ConformalMargin> out;
  for (size_t k = 0; k < rows.intervals.size(); ++k) {
    ConformalMargin& one_margin = out.emplace_back(ConformalMargin{rows.intervals[k], {}});
    for (int64_t h = 0; h < rows.horizon; ++h) {
      std::vector<double> misses;
      for (int64_t n = 0; n < rows.N(); ++n)
        if (const auto y = data.value(windows[static_cast<size_t>(n)], h))
          misses.push_back(miss_of(rows, n, h, k, *y) / spreads[static_cast<size_t>(n)]);
      if (misses.empty()) return {};  // a validation part that is shorter than the horizon
      one_margin.margins.push_back(conformal_margin(std::move(misses), one_margin.percent));
    }
  }
  return out;
}

}  // namespace lookback::tasks
