#include "lookback/data/calendar_features.h"

#include <chrono>

namespace lookback::data {
namespace {

using std::chrono::days;
using std::chrono::January;
using std::chrono::sys_days;
using std::chrono::year_month_day;

int64_t day_of_year(sys_days day, std::chrono::year year) { return (day - sys_days(year / January / 1)).count(); }

// Number from 0 and the largest one.
struct Place {
  int64_t number, largest;
};

Place place(CalendarFeature feature, Stamp stamp) {
  const std::chrono::sys_seconds time{std::chrono::seconds(stamp)};
  const auto day = std::chrono::floor<days>(time);
  const int64_t second = (time - day).count();
  const int64_t weekday = std::chrono::weekday(day).iso_encoding() - 1;
  const year_month_day date(day);
  switch (feature) {
    case CalendarFeature::second_of_minute:
      return {second % 60, 59};
    case CalendarFeature::minute_of_hour:
      return {second / 60 % 60, 59};
    case CalendarFeature::hour_of_day:
      return {second / 3600, 23};
    case CalendarFeature::day_of_week:
      return {weekday, 6};
    case CalendarFeature::day_of_month:
      return {static_cast<unsigned>(date.day()) - 1, 30};
    case CalendarFeature::day_of_year:
      return {day_of_year(day, date.year()), 365};
    case CalendarFeature::month_of_year:
      return {static_cast<unsigned>(date.month()) - 1, 11};
    case CalendarFeature::week_of_year:
      break;
  }
  // A week belongs to the year of its Thursday.
  const sys_days thursday = day + days(3 - weekday);
  return {day_of_year(thursday, year_month_day(thursday).year()) / 7, 52};
}

}  // namespace

std::string_view feature_name(CalendarFeature feature) {
  constexpr std::string_view kNames[] = {"second_of_minute", "minute_of_hour", "hour_of_day",   "day_of_week",
                                         "day_of_month",     "day_of_year",    "month_of_year", "week_of_year"};
  return kNames[static_cast<size_t>(feature)];
}

std::vector<CalendarFeature> calendar_features(const Frequency& frequency) {
  using enum CalendarFeature;
  switch (frequency.unit) {
    case FrequencyUnit::second:
      return {second_of_minute, minute_of_hour, hour_of_day, day_of_week, day_of_month, day_of_year};
    case FrequencyUnit::minute:
      return {minute_of_hour, hour_of_day, day_of_week, day_of_month, day_of_year};
    case FrequencyUnit::hour:
      return {hour_of_day, day_of_week, day_of_month, day_of_year};
    case FrequencyUnit::day:
    case FrequencyUnit::business_day:
      return {day_of_week, day_of_month, day_of_year};
    case FrequencyUnit::week:
      return {day_of_month, week_of_year};
    case FrequencyUnit::month:
    case FrequencyUnit::quarter:
      return {month_of_year};
    case FrequencyUnit::year:
    case FrequencyUnit::step:
      break;
  }
  return {};
}

double feature_value(CalendarFeature feature, Stamp stamp) {
  const auto [number, largest] = place(feature, stamp);
  return static_cast<double>(number) / static_cast<double>(largest) - 0.5;
}

}  // namespace lookback::data
