#include "lookback/sound/statistics.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"

namespace lookback::sound {

void FeatureStatistics::add(const Tensor& rows) {
  check(rows.shape().rank() == 2, "statistics are of rows [T, F], got ", rows.shape());
  const auto width = static_cast<size_t>(rows.dim(1));
  if (sums.empty()) sums.assign(width, 0.0), squares.assign(width, 0.0);
  check(sums.size() == width, "statistics are of ", sums.size(), " columns, got rows of ", width);
  const float* x = rows.data<float>();
  for (int64_t t = 0; t < rows.dim(0); ++t)
    for (size_t k = 0; k < width; ++k) {
      const double v = *x++;
      sums[k] += v, squares[k] += v * v;
    }
  count += static_cast<double>(rows.dim(0));
}

void FeatureStatistics::add(const FeatureStatistics& other) {
  if (other.sums.empty()) return;
  if (sums.empty()) sums.assign(other.sums.size(), 0.0), squares.assign(other.sums.size(), 0.0);
  check(width() == other.width(), "statistics of ", width(), " and of ", other.width(), " columns cannot be added");
  for (size_t k = 0; k < sums.size(); ++k) sums[k] += other.sums[k], squares[k] += other.squares[k];
  count += other.count;
}

std::vector<double> FeatureStatistics::means() const {
  check(count > 0, "there are no rows to take the mean of");
  std::vector<double> out = sums;
  for (double& v : out) v /= count;
  return out;
}

std::vector<double> FeatureStatistics::deviations() const {
  std::vector<double> out = means();
  for (size_t k = 0; k < out.size(); ++k) {
    const double variance = squares[k] / count - out[k] * out[k];
    out[k] = std::sqrt(std::max(variance, 1e-10));
  }
  return out;
}

std::vector<double> FeatureStatistics::values() const {
  std::vector<double> out = {count};
  out.insert(out.end(), sums.begin(), sums.end());
  out.insert(out.end(), squares.begin(), squares.end());
  return out;
}

FeatureStatistics FeatureStatistics::of_values(std::span<const double> values) {
  check<FormatError>(values.size() % 2 == 1, "statistics of features: ", values.size(), " numbers, not 1 + 2 F");
  for (const double v : values) check<FormatError>(std::isfinite(v), "statistics of features: a number is not finite");
  const size_t width = values.size() / 2;
  FeatureStatistics out{.count = values[0], .sums = {}, .squares = {}};
  out.sums.assign(values.begin() + 1, values.begin() + 1 + static_cast<int64_t>(width));
  out.squares.assign(values.begin() + 1 + static_cast<int64_t>(width), values.end());
  check<FormatError>(out.count >= 0 && std::ranges::all_of(out.squares, [](double v) { return v >= 0; }),
                     "statistics of features: a count or a sum of squares is negative");
  return out;
}

}  // namespace lookback::sound
