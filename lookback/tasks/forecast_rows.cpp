#include "lookback/tasks/forecast_rows.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/forecast.h"

namespace lookback::tasks {

size_t find_level(std::span<const double> levels, double level) {
  size_t k = 0;
  while (k < levels.size() && std::abs(levels[k] - level) > 1e-9) ++k;
  return k;
}

std::vector<double> percents_of(const StringList& texts, const std::string& what) {
  std::vector<double> out;
  for (const std::string& text : texts) {
    const auto x = parse_number<double>(text);
    check<ConfigError>(x && 0 < *x && *x < 100 && (out.empty() || out.back() < *x), what, ": '", text,
                       "' is no part in percent, above the one before it and below 100");
    out.push_back(*x);
  }
  return out;
}

namespace {

// Numbers for one step of one window: the point, quantiles, both ends of each interval.
struct Columns {
  std::span<const double> levels, intervals;
};

// All columns by a function of a level.
template <class F>
void write_columns(const Columns& columns, double point, F&& quantile, double* to) {
  *to++ = point;
  for (const double level : columns.levels) *to++ = quantile(level);
  for (const double percent : columns.intervals) {
    *to++ = quantile(low_level(percent));
    *to++ = quantile(high_level(percent));
  }
}

// Random numbers of a forecast's paths are named by the series and its origin: FNV-1a of the name.
uint64_t name_of(const ForecastWindows::Window& window, const SplitSeries& series) {
  uint64_t out = 14695981039346656037U;
  for (const char c : series.series.id) out = (out ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return (out ^ static_cast<uint64_t>(window.origin)) * 1099511628211U;
}

// One network's columns [B, H, columns] of a batch.
std::vector<double> columns_of(const Forecast::Network& network, const ForecastBatch& batch,
                               std::vector<uint64_t> names, const Columns& columns, const Forecast::Options& options) {
  const auto B = std::ssize(batch.lengths), H = network.config.horizon;
  const size_t width = 1 + columns.levels.size() + 2 * columns.intervals.size();
  std::vector<double> out(static_cast<size_t>(B * H) * width);
  const auto at = [&](int64_t b, int64_t h) { return out.data() + static_cast<size_t>(b * H + h) * width; };
  if (network.model->is_autoregressive()) {
    const bool sampled = network.model->sizes().likelihood.has_value();
    const int64_t S = sampled ? options.samples : 1;
    const Tensor paths = network.model->paths(
        batch, {.samples = S, .seed = static_cast<uint64_t>(options.seed), .rows = std::move(names)});
    std::vector<double> x(static_cast<size_t>(S));
    for (int64_t b = 0; b < B; ++b)
      for (int64_t h = 0; h < H; ++h) {
        double sum = 0;
        for (int64_t s = 0; s < S; ++s) sum += x[static_cast<size_t>(s)] = paths.data<float>()[(b * S + s) * H + h];
        std::ranges::sort(x);
        write_columns(
            columns, sum / static_cast<double>(S), [&](double p) { return quantile_of_sorted(x, p); }, at(b, h));
      }
    return out;
  }
  // Without what is looked at, which a decoder would find in a second pass.
  const NoGrad off;
  const Tensor values = (*network.model)(batch, nullptr).value();
  const auto P = static_cast<size_t>(network.model->sizes().outputs);
  std::vector<double> x(P);
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h) {
      const float* const from = values.data<float>() + static_cast<size_t>(b * H + h) * P;
      std::copy_n(from, P, x.begin());
      if (const auto likelihood = network.model->sizes().likelihood) {
        write_columns(
            columns, x[0], [&](double p) { return ops::quantile(*likelihood, x, p); }, at(b, h));
        continue;
      }
      // Quantiles that cross are put in order (Chernozhukov et al. 2010).
      std::ranges::sort(x);
      const double point = network.levels.empty() ? x[0] : x[find_level(network.levels, 0.5)];
      write_columns(
          columns, point,
          [&](double p) {
            const size_t k = find_level(network.levels, p);
            return k < network.levels.size() ? x[k] : point;
          },
          at(b, h));
    }
  return out;
}

}  // namespace

ForecastRows model_rows(Forecast::Networks networks, std::span<const SplitSeries> series,
                        std::span<const SeriesVariables> variables, std::span<const ForecastWindows::Window> windows,
                        const Forecast::Options& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  const Forecast::Config& c = networks[0]->config;
  ForecastRows out{.horizon = c.horizon, .levels = networks[0]->levels, .intervals = options.percents(), .values = {}};
  const Columns columns{out.levels, out.intervals};
  const size_t width = out.columns();
  const auto parts = static_cast<double>(networks.size());
  for (size_t first = 0; first < windows.size(); first += static_cast<size_t>(options.batch)) {
    const auto now = windows.subspan(first, std::min(static_cast<size_t>(options.batch), windows.size() - first));
    const ForecastBatch batch = read_windows(series, variables, now, c.history, c.horizon);
    std::vector<uint64_t> names;
    for (const auto& w : now) names.push_back(name_of(w, series[static_cast<size_t>(w.series)]));
    std::vector<double> sum(now.size() * static_cast<size_t>(c.horizon) * width);
    for (const Forecast::Network* const network : networks) {
      const std::vector<double> own = columns_of(*network, batch, names, columns, options);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += own[i] / parts;
    }
    out.values.insert(out.values.end(), sum.begin(), sum.end());
  }
  return out;
}

}  // namespace lookback::tasks
