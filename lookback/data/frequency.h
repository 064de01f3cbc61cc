// The regular grid in time on which the values of a series lie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lookback/data/time_stamps.h"

namespace lookback::data {

enum class FrequencyUnit { step, second, minute, hour, day, business_day, week, month, quarter, year };

// `count` units, one or more, from one stamp to the next. Each series has a phase of its own: a time of day, and where
// count > 1 the unit with which it begins. Business days are Monday to Friday.
struct Frequency {
  FrequencyUnit unit = FrequencyUnit::day;
  int64_t count = 1;
  // month, quarter, year: the day of the month on which all stamps are, or the last one of a month that has fewer. 1 is
  // a month's start, 31 its end. Else 1.
  int day = 1;
  // week: the day on which all stamps are, 1 Monday ... 7 Sunday. quarter: the month of a quarter, 1 to 3. year: the
  // month, 1 to 12. 0: each series has its own; all other units.
  int anchor = 0;

  friend bool operator==(const Frequency&, const Frequency&) = default;
};

// As pandas 2.2 and later write it: a count and s, min, h, D, B, W-MON, MS, ME, QS-JAN, QE-DEC, YS-JAN, YE-DEC; the
// unit is the largest that says the same (60min is h, 24h D, 7D W, 3MS QS, 12ME YE), a quarter's month the first of the
// year that says the same for starts, the last for ends (QS-OCT is QS-JAN, QE-MAR is QE-DEC). Beyond pandas:
// - W, QS, QE, YS, YE without an anchor take that of the data (pandas: Sunday, January, December);
// - M-15, Q-JAN-15, Y-JUN-15 have a day of the month that is neither start nor end;
// - a number alone counts steps.
// Throws ConfigError for anything else, with today's name for pandas' old ones (H, T, M, ...).
Frequency parse_frequency(std::string_view alias);
// parse_frequency() makes the same grid of it.
std::string frequency_alias(const Frequency& frequency);
// The same grid in its largest unit.
Frequency in_largest_unit(Frequency frequency);

// The stamp k steps on, or back for a negative k; the time of day stays. Throws FormatError if the stamp is not on a
// grid of this frequency, or the result is outside of what a Stamp can be.
Stamp advance(Stamp stamp, const Frequency& frequency, int64_t k);
// The k of advance() from a to b; nothing if they are not on one grid.
std::optional<int64_t> steps_between(Stamp a, Stamp b, const Frequency& frequency);

// Steps in what usually comes again: second 3600 (an hour), minute 1440 (a day), hour 24 (a day), day 7 (a week),
// business day 5 (a week), week 52 (a year), month 12, quarter 4, year 1, step 1; divided by the count, or 1 if that
// leaves a remainder. GluonTS's get_seasonality, but for days and weeks, where GluonTS, as the M4 competition, has 1.
int64_t seasonality(const Frequency& frequency);

}  // namespace lookback::data
