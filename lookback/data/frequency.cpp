#include "lookback/data/frequency.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "lookback/base/arithmetic.h"
#include "lookback/base/error.h"

namespace lookback::data {
namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;
using Unit = FrequencyUnit;

constexpr int kMonthEnd = 31;

// ---- names ----

constexpr std::string_view kWeekdays[] = {"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"};
constexpr std::string_view kMonths[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                        "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};

struct UnitName {
  std::string_view name;
  Unit unit;
  int day = 1;  // of the month; 0: it follows the name
};
constexpr UnitName kUnits[] = {
    {"s", Unit::second},
    {"min", Unit::minute},
    {"h", Unit::hour},
    {"D", Unit::day},
    {"B", Unit::business_day},
    {"W", Unit::week},
    {"MS", Unit::month},
    {"ME", Unit::month, kMonthEnd},
    {"M", Unit::month, 0},
    {"QS", Unit::quarter},
    {"QE", Unit::quarter, kMonthEnd},
    {"Q", Unit::quarter, 0},
    {"YS", Unit::year},
    {"YE", Unit::year, kMonthEnd},
    {"Y", Unit::year, 0},
};

// pandas before 2.2 -> today.
constexpr std::pair<std::string_view, std::string_view> kOldNames[] = {
    {"S", "s"}, {"T", "min"}, {"H", "h"}, {"M", "ME"}, {"Q", "QE"}, {"Y", "YE"}, {"A", "YE"}, {"AS", "YS"},
};

bool is_monthly(Unit unit) { return unit >= Unit::month; }

// 1 from a list of names, or 0.
int number_of(std::string_view name, std::span<const std::string_view> names) {
  const auto at = std::ranges::find(names, name);
  return at == names.end() ? 0 : static_cast<int>(at - names.begin()) + 1;
}

// A positive number without more behind it, or nothing.
std::optional<int64_t> positive(std::string_view digits) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < 1) return std::nullopt;
  return value;
}

// What follows a name, "-MON", "-JAN", "-15", "-JAN-15". Returns whether it may.
bool read_anchor(std::string_view text, const UnitName& name, Frequency& f) {
  int day = name.day;
  if (day == 0) {
    const size_t dash = text.rfind('-');
    if (dash == text.npos) return false;
    const auto given = positive(text.substr(dash + 1));
    if (!given || *given > kMonthEnd) return false;
    day = static_cast<int>(*given);
    text = text.substr(0, dash);
  }
  f.day = day;
  if (text.empty()) return true;
  text.remove_prefix(1);
  if (f.unit == Unit::week) f.anchor = number_of(text, kWeekdays);
  if (f.unit == Unit::year) f.anchor = number_of(text, kMonths);
  if (f.unit == Unit::quarter)
    if (const int month = number_of(text, kMonths)) f.anchor = (month - 1) % 3 + 1;
  return f.anchor > 0;
}

// ---- the grid as whole numbers ----

// How many steps, seconds, business days or months there are from one stamp to the next.
int64_t span_of(const Frequency& f) {
  constexpr int64_t kSizes[] = {1, 1, 60, 3600, 86400, 1, 7 * 86400, 1, 3, 12};
  const auto span = checked_mul(f.count, kSizes[static_cast<size_t>(f.unit)]);
  check<ConfigError>(f.count >= 1 && span.has_value(), "frequency: a count of ", f.count, " is out of range");
  return *span;
}

// A stamp as a number of those, and the time of day that goes with days and months.
struct Position {
  int64_t index;
  int64_t second = 0;
};

// Weeks from 1969-12-29, a Monday.
int64_t weeks_from_monday(sys_days day) {
  return std::chrono::floor<std::chrono::weeks>(day.time_since_epoch() + days(3)).count();
}
// From 0, Monday.
int weekday_of(sys_days day) { return static_cast<int>(std::chrono::weekday(day).iso_encoding()) - 1; }

// Months from January of the year 0.
int64_t month_index(year_month_day date) {
  return int64_t{12} * static_cast<int>(date.year()) + static_cast<unsigned>(date.month()) - 1;
}

// `day`, or the last one of a month that has fewer.
year_month_day day_of_month(int64_t month, int day) {
  const auto year = std::chrono::year(static_cast<int>(month / 12));
  const auto of_year = std::chrono::month(static_cast<unsigned>(month % 12) + 1);
  const auto last = (year / of_year / std::chrono::last).day();
  return year / of_year / std::min(std::chrono::day(static_cast<unsigned>(day)), last);
}

bool fits_anchor(sys_days day, const Frequency& f) {
  if (f.anchor == 0) return true;
  const year_month_day date(day);
  const int month = static_cast<int>(static_cast<unsigned>(date.month()));
  if (f.unit == Unit::week) return weekday_of(day) + 1 == f.anchor;
  if (f.unit == Unit::quarter) return (month - 1) % 3 + 1 == f.anchor;
  return f.unit != Unit::year || month == f.anchor;
}

// Nothing for a stamp that is not on a grid of the frequency.
std::optional<Position> position(Stamp stamp, const Frequency& f) {
  const bool counts = f.unit == Unit::step;
  if (stamp < (counts ? -kLastStep : kFirstTime) || stamp > (counts ? kLastStep : kLastTime)) return std::nullopt;
  if (counts) return Position{stamp};
  const sys_seconds time{seconds(stamp)};
  const auto day = std::chrono::floor<days>(time);
  if (!fits_anchor(day, f)) return std::nullopt;
  const int64_t second = (time - day).count();
  if (f.unit == Unit::business_day) {
    const int weekday = weekday_of(day);
    if (weekday >= 5) return std::nullopt;
    return Position{weeks_from_monday(day) * 5 + weekday, second};
  }
  if (!is_monthly(f.unit)) return Position{stamp};
  const year_month_day date(day);
  const int64_t month = month_index(date);
  if (day_of_month(month, f.day) != date) return std::nullopt;
  return Position{month, second};
}

constexpr int64_t kManyDays = 4'000'000;  // more than the calendar has

// The other way round; nothing outside of what a Stamp can be.
std::optional<Stamp> stamp_at(Position at, const Frequency& f) {
  if (f.unit == Unit::step) {
    if (at.index < -kLastStep || at.index > kLastStep) return std::nullopt;
    return at.index;
  }
  Stamp stamp = at.index;
  if (f.unit == Unit::business_day) {
    if (at.index < -kManyDays || at.index > kManyDays) return std::nullopt;
    const int64_t week = (at.index - (at.index % 5 + 5) % 5) / 5;
    const sys_days day(days(week * 7 - 3 + (at.index - week * 5)));
    stamp = seconds(day.time_since_epoch()).count() + at.second;
  } else if (is_monthly(f.unit)) {
    if (at.index < 12 || at.index >= 12 * 10000) return std::nullopt;
    stamp = seconds(sys_days(day_of_month(at.index, f.day)).time_since_epoch()).count() + at.second;
  }
  if (stamp < kFirstTime || stamp > kLastTime) return std::nullopt;
  return stamp;
}

std::string to_text(Stamp stamp, Unit unit) {
  if (unit != Unit::step && (stamp < kFirstTime || stamp > kLastTime)) return str_cat(stamp, " s from 1970");
  return format_stamp(stamp, {.kind = unit == Unit::step ? StampKind::step : StampKind::second});
}

}  // namespace

Frequency in_largest_unit(Frequency f) {
  struct Larger {
    Unit unit;
    int64_t count;
    Unit larger;
  };
  constexpr Larger kLarger[] = {{Unit::second, 60, Unit::minute}, {Unit::minute, 60, Unit::hour},
                                {Unit::hour, 24, Unit::day},      {Unit::day, 7, Unit::week},
                                {Unit::month, 3, Unit::quarter},  {Unit::quarter, 4, Unit::year}};
  for (const auto& [unit, count, larger] : kLarger)
    if (f.unit == unit && f.count % count == 0 && f.anchor == 0) f.unit = larger, f.count /= count;
  return f;
}

Frequency parse_frequency(std::string_view alias) {
  const size_t digits = std::min(alias.find_first_not_of("0123456789"), alias.size());
  const std::string_view rest = alias.substr(digits), name = rest.substr(0, rest.find('-'));
  const auto count = digits == 0 && !rest.empty() ? 1 : positive(alias.substr(0, digits));
  if (count && rest.empty()) return {.unit = Unit::step, .count = *count};
  const auto unit = std::ranges::find(kUnits, name, &UnitName::name);
  Frequency f{.unit = unit == std::end(kUnits) ? Unit::step : unit->unit, .count = count.value_or(1)};
  if (!count || unit == std::end(kUnits) || !read_anchor(rest.substr(name.size()), *unit, f)) {
    const bool has_day = rest.find_first_of("0123456789") != rest.npos;
    for (const auto& [old, today] : kOldNames)
      check<ConfigError>(name != old || has_day, "frequency '", alias, "': ", old, " is ", today, " today");
    throw ConfigError(str_cat("frequency '", alias,
                              "' is unknown; write a count and s, min, h, D, B, W, MS, ME, QS, QE, ",
                              "YS or YE, as 15min, W-MON, QS-JAN or M-15 (the 15th), or the number of steps alone"));
  }
  span_of(f);  // throws for too many
  return in_largest_unit(f);
}

std::string frequency_alias(const Frequency& f) {
  if (f.unit == Unit::step) return std::to_string(f.count);
  const int day = !is_monthly(f.unit) ? 1 : f.day == 1 || f.day == kMonthEnd ? f.day : 0;  // as in kUnits
  const auto unit = std::ranges::find_if(kUnits, [&](const UnitName& u) { return u.unit == f.unit && u.day == day; });
  std::string out = f.count == 1 ? "" : std::to_string(f.count);
  out += unit->name;
  if (f.anchor > 0) {
    out += '-';
    if (f.unit == Unit::week) out += kWeekdays[f.anchor - 1];
    if (f.unit == Unit::quarter) out += kMonths[f.anchor - 1 + (day == kMonthEnd ? 9 : 0)];
    if (f.unit == Unit::year) out += kMonths[f.anchor - 1];
  }
  return day == 0 ? out + '-' + std::to_string(f.day) : out;
}

Stamp advance(Stamp stamp, const Frequency& frequency, int64_t k) {
  const auto at = position(stamp, frequency);
  if (!at)
    throw FormatError(str_cat(to_text(stamp, frequency.unit), " is not on a grid of ", frequency_alias(frequency)));
  const auto jump = checked_mul(k, span_of(frequency));
  const auto index = jump ? checked_add(at->index, *jump) : std::nullopt;
  const auto out = index ? stamp_at({*index, at->second}, frequency) : std::nullopt;
  if (!out)
    throw FormatError(
        str_cat(to_text(stamp, frequency.unit), " and ", k, " steps of ", frequency_alias(frequency),
                frequency.unit == Unit::step ? ": the number is too large" : ": not in the years 1 to 9999"));
  return *out;
}

std::optional<int64_t> steps_between(Stamp a, Stamp b, const Frequency& frequency) {
  const int64_t span = span_of(frequency);
  const auto from = position(a, frequency), to = position(b, frequency);
  if (!from || !to || from->second != to->second) return std::nullopt;
  const int64_t units = to->index - from->index;
  if (units % span != 0) return std::nullopt;
  return units / span;
}

int64_t seasonality(const Frequency& frequency) {
  // step, second, minute, hour, day, business day, week, month, quarter, year
  constexpr int64_t kSeasons[] = {1, 3600, 1440, 24, 7, 5, 52, 12, 4, 1};
  const int64_t season = kSeasons[static_cast<size_t>(frequency.unit)];
  return season % frequency.count == 0 ? season / frequency.count : 1;
}

}  // namespace lookback::data
