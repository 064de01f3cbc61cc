// Private to viz: heat maps whose columns are seconds.
#pragma once

#include <string>
#include <vector>

#include "lookback/viz/figure.h"

namespace lookback::viz {

// Rows of cells, [rows, columns], for as many columns as there is room for.
struct TimeCells {
  int64_t rows = 0, columns = 0;
  std::vector<double> values;

  double at(int64_t row, int64_t column) const { return values[static_cast<size_t>(row * columns + column)]; }
};

// The weights [U, T], totals included, in that many columns: each the largest of the frames it covers.
TimeCells weight_cells(const HeatMap& map, int64_t columns);
// The underlay [S, F] turned, high frequencies first: each the mean of what it covers, in [0, 1].
TimeCells sound_cells(const Tensor& underlay, int64_t columns, int64_t rows);

// From 0 to the length of all columns, at steps of 1, 2 or 5 times a power of ten, at most so many (at least two).
struct TimeTick {
  double seconds;
  std::string text;  // "0.5"
};
std::vector<TimeTick> time_ticks(double length, int64_t most);

// "1.24 to 1.26 s": the frame that has the largest weight of a row.
std::string best_time(const HeatMap& map, int64_t row);

std::string time_map_on_terminal(const HeatMap& map, const TerminalOptions& options);

}  // namespace lookback::viz
