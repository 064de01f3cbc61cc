#include "lookback/models/linear_forecast.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "lookback/base/parallel.h"
#include "lookback/models/forecast_checks.h"

namespace lookback {
namespace {

using Vector = std::vector<double>;

constexpr const char* kWho = "linear forecast";
constexpr int64_t kMaxLookback = 100'000;
constexpr size_t kMaxProducts = 1 << 27;

void check_window(const ForecastWindow& window) {
  check<ConfigError>(window.lookback >= 1 && window.lookback <= kMaxLookback, kWho, ": looks back ", window.lookback,
                     " values; it must be between 1 and ", kMaxLookback);
  check_horizon(window.horizon, kWho);
}

void check_ridge(double ridge) {
  check<ConfigError>(ridge >= 1e-8 && ridge <= 1e8, kWho, ": a ridge of ", ridge, "; it must lie between 1e-8 and 1e8");
}

// y += a x
void add_scaled(double a, const double* x, double* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] += a * x[i];
}

// The normal equations of all windows: [P, P + H] with P = L - 1, products of the inputs x_i - x_L with each other and
// with the targets.
//
// They are kept as products of changes u_t = x_{t+1} - x_t, of which inputs and targets are sums: moved by one, a
// product over all windows gains one term and loses one, and no level of the series is ever squared.
class NormalEquations {
 public:
  NormalEquations(std::span<const std::span<const double>> series, const ForecastWindow& window);

  // [P, H]
  Vector solve(double ridge) const;

 private:
  void add(std::span<const double> series);
  void sum_changes();

  size_t inputs_, targets_, columns_;
  Vector sums_;
};

NormalEquations::NormalEquations(std::span<const std::span<const double>> series, const ForecastWindow& window) {
  check_window(window);
  inputs_ = static_cast<size_t>(window.lookback - 1), targets_ = static_cast<size_t>(window.horizon);
  columns_ = inputs_ + targets_;
  check<ConfigError>(inputs_ * columns_ <= kMaxProducts, kWho, ": looking back ", window.lookback, " values for ",
                     window.horizon, " steps takes ", inputs_ * columns_, " sums; at most ", kMaxProducts,
                     " are held: look back less far");
  size_t longest = 0;
  for (const std::span<const double> s : series) check_values(s, kWho), longest = std::max(longest, s.size());
  check<ShapeError>(longest > columns_, kWho, ": the longest series has ", longest, " values; one window needs ",
                    columns_ + 1);
  sums_.resize(inputs_ * columns_);
  for (const std::span<const double> s : series)
    if (s.size() > columns_) add(s);
  sum_changes();
  check<NumericError>(std::ranges::all_of(sums_, [](double v) { return std::isfinite(v); }), kWho,
                      ": products of values leave the range of double; standardise the series");
}

// Adds products of changes i <= j of every window.
void NormalEquations::add(std::span<const double> series) {
  Vector u(series.size() - 1);
  for (size_t t = 0; t < u.size(); ++t) u[t] = series[t + 1] - series[t];
  const size_t windows = series.size() - columns_;
  for (size_t apart = 0; apart < columns_ && inputs_ > 0; ++apart) {
    double sum = 0;
    for (size_t t = 0; t < windows; ++t) sum += u[t] * u[t + apart];
    for (size_t i = 0;; ++i) {
      sums_[i * columns_ + i + apart] += sum;
      if (i + 1 == inputs_ || i + 1 + apart == columns_) break;
      sum += u[windows + i] * u[windows + i + apart] - u[i] * u[i + apart];
    }
  }
}

// From products of changes to those of inputs x_i - x_L = -(u_i + ... + u_{L-1}) and targets u_L + ... + u_{L+h-1}.
void NormalEquations::sum_changes() {
  for (size_t i = 0; i < inputs_; ++i) {
    double* row = sums_.data() + i * columns_;
    for (size_t j = 0; j < i; ++j) row[j] = sums_[j * columns_ + i];
  }
  for (size_t i = inputs_; i-- > 0;) {
    double* row = sums_.data() + i * columns_;
    for (size_t j = inputs_ - 1; j-- > 0;) row[j] += row[j + 1];
    for (size_t j = inputs_; j < columns_; ++j) row[j] = (j > inputs_ ? row[j - 1] : 0) - row[j];
    if (i + 1 < inputs_) add_scaled(1, row + columns_, row, columns_);
  }
}

Vector NormalEquations::solve(double ridge) const {
  Vector weights(inputs_ * targets_), a = sums_;
  double trace = 0;
  for (size_t i = 0; i < inputs_; ++i) trace += a[i * columns_ + i];
  if (trace == 0) return weights;  // nothing ever changes
  for (size_t i = 0; i < inputs_; ++i) a[i * columns_ + i] += ridge * (trace / static_cast<double>(inputs_));
  // Cholesky's U of the left part, and beside it U'^-1 times the right one.
  for (size_t j = 0; j < inputs_; ++j) {
    double* row = a.data() + j * columns_;
    check<NumericError>(row[j] > 0, kWho, ": inputs depend on each other; take a larger ridge than ", ridge);
    const double root = std::sqrt(row[j]);
    for (size_t k = j; k < columns_; ++k) row[k] /= root;
    for (size_t i = j + 1; i < inputs_; ++i) add_scaled(-row[i], row + i, a.data() + i * columns_ + i, columns_ - i);
  }
  for (size_t i = inputs_; i-- > 0;) {
    const double* row = a.data() + i * columns_;
    double* out = weights.data() + i * targets_;
    std::copy_n(row + inputs_, targets_, out);
    for (size_t k = i + 1; k < inputs_; ++k) add_scaled(-row[k], weights.data() + k * targets_, out, targets_);
    for (size_t h = 0; h < targets_; ++h) out[h] /= row[i];
  }
  return weights;
}

// The squared errors of all windows of a target, added up, and how many there are.
struct ErrorSum {
  double sum = 0, count = 0;

  void add(const LinearForecast& model, const ForecastTarget& target) {
    const int64_t horizon = model.window().horizon, end = std::ssize(target.series) - horizon + 1;
    for (int64_t first = target.begin; first < end; first += kBlock) {
      std::vector<int64_t> origins(static_cast<size_t>(std::min(kBlock, end - first)));
      std::iota(origins.begin(), origins.end(), first);
      const Vector forecast = model.predict_from(target.series, origins);
      const double* predicted = forecast.data();
      for (const int64_t origin : origins)
        for (const double value : target.series.subspan(static_cast<size_t>(origin), static_cast<size_t>(horizon))) {
          const double e = value - *predicted++;
          sum += e * e;
        }
      count += static_cast<double>(forecast.size());
    }
  }

  static constexpr int64_t kBlock = 1024;  // windows whose forecasts are held at once
};

}  // namespace

LinearForecast::LinearForecast(const ForecastWindow& window, std::vector<double> weights)
    : window_(window), weights_(std::move(weights)) {
  check_window(window);
  check<ShapeError>(std::ssize(weights_) == (window.lookback - 1) * window.horizon, kWho, ": ", weights_.size(),
                    " weights for ", window.lookback - 1, " inputs and ", window.horizon, " steps");
  check<NumericError>(std::ranges::all_of(weights_, [](double v) { return std::isfinite(v); }), kWho,
                      ": a weight is not finite; standardise the series");
}

std::vector<double> LinearForecast::predict(std::span<const double> history) const {
  const int64_t origin = std::ssize(history);
  return predict_from(history, {&origin, 1});
}

std::vector<double> LinearForecast::predict_from(std::span<const double> series,
                                                 std::span<const int64_t> origins) const {
  check_values(series, kWho);
  for (const int64_t origin : origins)
    check<ShapeError>(origin >= 0 && origin <= std::ssize(series), kWho, ": origin ", origin, " of a series of ",
                      series.size(), " values");
  const auto steps = static_cast<size_t>(window_.horizon);
  Vector out(origins.size() * steps);
  const auto value = [&](int64_t n, int64_t back) {  // back = 1: the last one
    const int64_t origin = origins[static_cast<size_t>(n)];
    return origin == 0 ? 0 : series[static_cast<size_t>(std::max<int64_t>(0, origin - back))];
  };
  // Of a block of windows and steps the forecasts stay in the cache nearest by, while the inputs go by.
  parallel_for(std::ssize(origins), 16, [&](int64_t begin, int64_t end) {
    for (size_t step = 0; step < steps; step += 128) {
      const size_t count = std::min<size_t>(128, steps - step);
      const auto row = [&](int64_t n) { return out.data() + static_cast<size_t>(n) * steps + step; };
      for (int64_t n = begin; n < end; ++n) std::fill_n(row(n), count, value(n, 1));
      for (int64_t i = 0; i + 1 < window_.lookback; ++i) {
        const double* weights = weights_.data() + static_cast<size_t>(i) * steps + step;
        for (int64_t n = begin; n < end; ++n)
          add_scaled(value(n, window_.lookback - i) - value(n, 1), weights, row(n), count);
      }
    }
  });
  check_forecast(out, kWho);
  return out;
}

LinearForecast train_linear_forecast(std::span<const std::span<const double>> series, const ForecastWindow& window,
                                     double ridge) {
  check_ridge(ridge);
  return {window, NormalEquations(series, window).solve(ridge)};
}

double select_ridge(std::span<const std::span<const double>> series, std::span<const ForecastTarget> validation,
                    const ForecastWindow& window, std::span<const double> ridges) {
  check<ConfigError>(!ridges.empty(), kWho, ": there is no ridge to choose from");
  for (const double ridge : ridges) check_ridge(ridge);
  for (const ForecastTarget& target : validation)
    check<ShapeError>(target.begin >= 0, kWho, ": forecasts from value ", target.begin, " of a series");
  const NormalEquations equations(series, window);
  double best = ridges[0], least = std::numeric_limits<double>::infinity();
  for (const double ridge : ridges) {
    const LinearForecast model(window, equations.solve(ridge));
    ErrorSum error;
    for (const ForecastTarget& target : validation) error.add(model, target);
    check<ShapeError>(error.count > 0, kWho, ": no window of ", window.horizon, " values to choose a ridge by");
    check<NumericError>(std::isfinite(error.sum), kWho, ": squared errors leave the range of double");
    if (error.sum / error.count < least) least = error.sum / error.count, best = ridge;
  }
  return best;
}

}  // namespace lookback
