// The frequency of the series of a table, found in their stamps.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "lookback/data/frequency.h"

namespace lookback::data {

struct SeriesStamps {
  std::string name;               // for messages; "" where there is but one
  std::span<const Stamp> stamps;  // in any order, any of them more than once
};

// The one frequency of all series of a table; nothing if none has two stamps.
// - Steps: the most frequent difference between neighbours of a series, the smallest of several, has to divide all
//   others.
// - Times: the same in months, in seconds and in business days; of the grids for which it holds, that with the fewest
//   stamps missing, of equals the first. So the first of each month is months, and days without any weekend are
//   business days.
// - Series differ in phase: an anchor that they do not share is 0. The day of the month has to be the same for all. On
//   the grid of the others a series may have more holes than stamps: the caller should count them.
// `style`: of the column, for whether it counts steps, and for messages. Throws FormatError if there is no such grid,
// with the first pair of neighbours that is not on the one on which most are.
std::optional<Frequency> find_frequency(std::span<const SeriesStamps> series, const StampStyle& style);
// Of one series.
std::optional<Frequency> find_frequency(std::span<const Stamp> stamps, const StampStyle& style);

// Throws FormatError with the first pair of neighbours of a series that is not on a grid of this frequency.
void check_on_grid(std::span<const SeriesStamps> series, const Frequency& frequency, const StampStyle& style);

}  // namespace lookback::data
