#include "lookback/viz/time_map.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"

namespace lookback::viz {
namespace {

// Which of n things the k-th of `places` covers: at least one.
struct Covered {
  int64_t begin, end;
};

Covered covered(int64_t k, int64_t places, int64_t n) {
  const int64_t begin = k * n / places;
  return {begin, std::max(begin + 1, (k + 1) * n / places)};
}

}  // namespace

TimeCells weight_cells(const HeatMap& map, int64_t columns) {
  const int64_t T = map.column_count(), U = std::ssize(map.rows.tokens);
  TimeCells out{.rows = U, .columns = columns, .values = {}};
  for (int64_t u = 0; u < U; ++u) {
    const float* w = map.weights.data<float>() + u * T;
    for (int64_t k = 0; k < columns; ++k) {
      const Covered c = covered(k, columns, T);
      out.values.push_back(*std::max_element(w + c.begin, w + c.end));
    }
  }
  return out;
}

TimeCells sound_cells(const Tensor& underlay, int64_t columns, int64_t rows) {
  const int64_t S = underlay.dim(0), F = underlay.dim(1);
  TimeCells out{.rows = rows, .columns = columns, .values = {}};
  for (int64_t row = 0; row < rows; ++row) {
    const Covered f = covered(rows - 1 - row, rows, F);
    for (int64_t k = 0; k < columns; ++k) {
      const Covered s = covered(k, columns, S);
      double sum = 0;
      for (int64_t t = s.begin; t < s.end; ++t)
        for (int64_t m = f.begin; m < f.end; ++m) sum += std::clamp(underlay.data<float>()[t * F + m], 0.0f, 1.0f);
      out.values.push_back(sum / static_cast<double>((s.end - s.begin) * (f.end - f.begin)));
    }
  }
  return out;
}

std::vector<TimeTick> time_ticks(double length, int64_t most) {
  const auto power = [](int n) {
    double out = 1;
    for (int k = 0; k < n; ++k) out *= 10;
    return out;
  };
  const auto last = static_cast<double>(std::max<int64_t>(most, 2) - 1);
  constexpr double kRound = 1 + 1e-9;  // a tick at the very end is one, however it was rounded
  for (int digits = 6;; --digits)
    for (const double times : {1.0, 2.0, 5.0}) {
      const double step = digits > 0 ? times / power(digits) : times * power(-digits);
      if (length * kRound >= step * (last + 1)) continue;
      std::vector<TimeTick> out;
      for (int64_t k = 0; static_cast<double>(k) * step <= length * kRound; ++k) {
        const double seconds = static_cast<double>(k) * step;
        out.push_back({std::min(seconds, length), fixed(seconds, std::max(digits, 0))});
      }
      return out;
    }
}

std::string best_time(const HeatMap& map, int64_t row) {
  const int64_t T = map.column_count();
  const float* w = map.weights.data<float>() + row * T;
  const auto best = static_cast<double>(std::max_element(w, w + T) - w);
  return str_cat(fixed(best * map.columns.seconds, 2), " to ", fixed((best + 1) * map.columns.seconds, 2), " s");
}

}  // namespace lookback::viz
