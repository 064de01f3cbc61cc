// Mean and variance of each column over many recordings.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/tensor/tensor.h"

namespace lookback::sound {

// Sums, so that those of parts can be added: of all recordings, or of one speaker's. All is plain doubles, to be saved.
struct FeatureStatistics {
  double count = 0;             // rows
  std::vector<double> sums;     // of each column
  std::vector<double> squares;  // sums of squares

  int64_t width() const { return std::ssize(sums); }
  // Adds f32 rows [T, F]; the first ones set F. ShapeError for another width.
  void add(const Tensor& rows);
  void add(const FeatureStatistics& other);

  // Of each column; ShapeError if there is no row.
  std::vector<double> means() const;
  // Standard deviations, at least 1e-5, so that a column that never changes can be divided by one.
  std::vector<double> deviations() const;

  // count, then sums, then squares: 1 + 2 F numbers; and back, with FormatError for what cannot be such.
  std::vector<double> values() const;
  static FeatureStatistics of_values(std::span<const double> values);
};

}  // namespace lookback::sound
