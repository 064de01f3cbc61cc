#include "lookback/data/find_frequency.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <vector>

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

using Unit = FrequencyUnit;
using Series = std::span<const SeriesStamps>;

// f(series, a, b) for all neighbours in time, the first stamp of each series as its own neighbour before them.
template <class F>
void for_each_pair(Series series, F&& f) {
  for (const SeriesStamps& s : series) {
    std::vector<Stamp> copy;
    std::span<const Stamp> sorted = s.stamps;
    if (!std::ranges::is_sorted(sorted)) {
      copy.assign(sorted.begin(), sorted.end());
      std::ranges::sort(copy);
      sorted = copy;
    }
    for (size_t k = 0; k < sorted.size(); ++k)
      if (k == 0 || sorted[k] != sorted[k - 1]) f(s, sorted[k == 0 ? 0 : k - 1], sorted[k]);
  }
}

// Of one grid: how many neighbours are on it, whether all are, and how many stamps are missing between them.
struct Candidate {
  Frequency frequency;
  int64_t on_grid = 0, missing = 0;
  bool explains_all = true;
};

// The most frequent difference is the step. `base`: the grid with a count of 1.
Candidate candidate(Series series, const Frequency& base) {
  Candidate out{base};
  std::map<int64_t, int64_t> differences;  // how many pairs have each
  for_each_pair(series, [&](const SeriesStamps&, Stamp a, Stamp b) {
    const auto steps = steps_between(a, b, base);
    if (!steps)
      out.explains_all = false;
    else if (a != b)
      ++differences[*steps];
  });
  if (differences.empty()) return out;
  out.frequency.count = std::ranges::max_element(differences, {}, [](const auto& d) { return d.second; })->first;
  for (const auto& [difference, pairs] : differences) {
    if (difference % out.frequency.count != 0) {
      out.explains_all = false;
      continue;
    }
    out.on_grid += pairs;
    out.missing += pairs * (difference / out.frequency.count - 1);
  }
  out.frequency = in_largest_unit(out.frequency);
  return out;
}

// The day of the month that fits most stamps, its end where others fit as many. Months with fewer days end before it.
int day_of_month(Series series) {
  std::array<int64_t, 32> fitting{};
  for (const SeriesStamps& s : series)
    for (const Stamp stamp : s.stamps) {
      const std::chrono::sys_seconds time{std::chrono::seconds(stamp)};
      const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(time));
      const auto day = static_cast<unsigned>(date.day());
      ++fitting[day];
      if (date == date.year() / date.month() / std::chrono::last)
        for (unsigned later = day + 1; later <= 31; ++later) ++fitting[later];
    }
  const auto most = std::ranges::max_element(fitting);
  return fitting[31] == *most ? 31 : static_cast<int>(most - fitting.begin());
}

// Whether the first stamps of all series, and so all, are on grids of the frequency.
bool begin_on_grid(Series series, const Frequency& frequency) {
  return std::ranges::all_of(series, [&](const SeriesStamps& s) {
    return s.stamps.empty() || steps_between(s.stamps[0], s.stamps[0], frequency);
  });
}

Frequency with_anchor(Series series, Frequency f) {
  const int anchors = f.unit == Unit::week ? 7 : f.unit == Unit::quarter ? 3 : f.unit == Unit::year ? 12 : 0;
  while (f.anchor < anchors) {
    ++f.anchor;
    if (begin_on_grid(series, f)) return f;
  }
  f.anchor = 0;
  return f;
}

// The first pair that is not on the grid, in words; "" if there is none.
std::string first_off_grid(Series series, const Frequency& frequency, const StampStyle& style) {
  std::string why;
  for_each_pair(series, [&](const SeriesStamps& s, Stamp a, Stamp b) {
    if (!why.empty() || steps_between(a, b, frequency)) return;
    if (!s.name.empty()) why = str_cat("series '", s.name, "': ");
    if (a == b || !steps_between(b, b, frequency))
      why += str_cat(format_stamp(b, style), a == b ? "" : ", after " + format_stamp(a, style) + ",",
                     " is not on a grid of ", frequency_alias(frequency));
    else
      why += str_cat(format_stamp(a, style), " and ", format_stamp(b, style), " are no whole number of steps of ",
                     frequency_alias(frequency), " apart");
  });
  return why;
}

}  // namespace

std::optional<Frequency> find_frequency(Series series, const StampStyle& style) {
  const auto has_two = [](const SeriesStamps& s) {
    return !s.stamps.empty() && std::ranges::min(s.stamps) != std::ranges::max(s.stamps);
  };
  if (std::ranges::none_of(series, has_two)) return std::nullopt;
  std::vector<Frequency> bases;
  if (style.kind == StampKind::step)
    bases = {{.unit = Unit::step}};
  else
    bases = {{.unit = Unit::month, .day = day_of_month(series)}, {.unit = Unit::second}, {.unit = Unit::business_day}};
  std::optional<Candidate> best, nearest;
  for (const Frequency& base : bases) {
    const Candidate c = candidate(series, base);
    if (!nearest || c.on_grid > nearest->on_grid) nearest = c;
    if (c.explains_all && (!best || c.missing < best->missing)) best = c;
  }
  if (!best)
    throw FormatError(str_cat("the times are not regular: most are a multiple of ", frequency_alias(nearest->frequency),
                              " apart, but ", first_off_grid(series, nearest->frequency, style),
                              "; correct them, or give the frequency"));
  return with_anchor(series, best->frequency);
}

std::optional<Frequency> find_frequency(std::span<const Stamp> stamps, const StampStyle& style) {
  const SeriesStamps one{.stamps = stamps};
  return find_frequency({&one, 1}, style);
}

void check_on_grid(Series series, const Frequency& frequency, const StampStyle& style) {
  const std::string why = first_off_grid(series, frequency, style);
  check<FormatError>(why.empty(), why);
}

}  // namespace lookback::data
