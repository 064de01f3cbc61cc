// What the calendar says of a stamp, as numbers for a model.
#pragma once

#include <string_view>
#include <vector>

#include "lookback/data/frequency.h"

namespace lookback::data {

enum class CalendarFeature {
  second_of_minute,
  minute_of_hour,
  hour_of_day,
  day_of_week,
  day_of_month,
  day_of_year,
  month_of_year,
  week_of_year,
};

// "second_of_minute", ...
std::string_view feature_name(CalendarFeature feature);

// GluonTS's time_features_from_frequency_str, in its order: those that change from step to step, and so nothing for
// years and for steps without a calendar.
std::vector<CalendarFeature> calendar_features(const Frequency& frequency);

// Of a time, in [-0.5, 0.5], equal to GluonTS's: the number from 0 by its largest, less a half. Weeks are those of ISO
// 8601, Monday is 0. Of the stamp itself: GluonTS takes that of the last day in a quarter, whatever day stands for the
// quarter.
double feature_value(CalendarFeature feature, Stamp stamp);

}  // namespace lookback::data
