#include "lookback/data/frequency.h"

#include <gtest/gtest.h>

#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/testing.h"
#include "lookback/data/calendar_features.h"

namespace lookback::data {
namespace {

using Unit = FrequencyUnit;

Stamp at(std::string_view cell) {
  const std::string_view cells[] = {cell};
  return parse_stamp(cell, find_style(cells)).stamp;
}

std::string text(Stamp stamp) {
  const std::string out = format_stamp(stamp, {.kind = StampKind::second});
  return out.ends_with(" 00:00:00") ? out.substr(0, 10) : out;
}

std::string after(std::string_view cell, std::string_view alias, int64_t k) {
  return text(advance(at(cell), parse_frequency(alias), k));
}

TEST(Frequency, AliasesOfPandas) {
  for (const char* alias :
       {"s",        "15min", "2h", "D",      "B",      "5B",     "W",       "W-SUN", "2W-WED",   "MS",     "ME",
        "5MS",      "QS",    "QE", "QS-JAN", "QE-DEC", "QE-OCT", "2QS-MAR", "YS",    "YE",       "YS-JAN", "YE-FEB",
        "10YE-DEC", "1",     "7",  "M-15",   "5M-30",  "Q-15",   "Q-MAR-2", "Y-30",  "Y-JUN-15", "4QS-JAN"})
    EXPECT_EQ(frequency_alias(parse_frequency(alias)), alias);
  EXPECT_EQ(parse_frequency("2W-WED"), (Frequency{.unit = Unit::week, .count = 2, .anchor = 3}));
  EXPECT_EQ(parse_frequency("YE-FEB"), (Frequency{.unit = Unit::year, .day = 31, .anchor = 2}));
  EXPECT_EQ(parse_frequency("3"), (Frequency{.unit = Unit::step, .count = 3}));
}

TEST(Frequency, OneGridHasOneName) {
  const std::pair<const char*, const char*> same[] = {
      {"60s", "min"}, {"90s", "90s"},     {"120min", "2h"},      {"24h", "D"},         {"36h", "36h"},
      {"7D", "W"},    {"1209600s", "2W"}, {"3MS", "QS"},         {"6ME", "2QE"},       {"12MS", "YS"},
      {"8QE", "2YE"}, {"3M-15", "Q-15"},  {"QS-OCT", "QS-JAN"},  {"QE-MAR", "QE-DEC"}, {"M-1", "MS"},
      {"M-31", "ME"}, {"1D", "D"},        {"Q-FEB-31", "QE-NOV"}};
  for (const auto& [a, b] : same) {
    EXPECT_EQ(parse_frequency(a), parse_frequency(b)) << a;
    EXPECT_EQ(frequency_alias(parse_frequency(a)), b);
  }
}

TEST(Frequency, UnknownAliases) {
  for (const char* alias : {"", "0D", "-1D", "1.5h", "d", "min15", "15 min", "W-XXX", "W-", "MS-JAN", "M-0", "M-32",
                            "M-JAN-15", "D-MON", "BMS", "ms", "h30min", "99999999999999999999D", "QS-"})
    EXPECT_EQ(message_of<ConfigError>([&] { parse_frequency(alias); }),
              str_cat("frequency '", alias,
                      "' is unknown; write a count and s, min, h, D, B, W, MS, ME, QS, QE, YS or YE, as 15min, W-MON, "
                      "QS-JAN or M-15 (the 15th), or the number of steps alone"));
  EXPECT_EQ(message_of<ConfigError>([] { parse_frequency("2H"); }), "frequency '2H': H is h today");
  EXPECT_EQ(message_of<ConfigError>([] { parse_frequency("Q-DEC"); }), "frequency 'Q-DEC': Q is QE today");
  EXPECT_EQ(message_of<ConfigError>([] { parse_frequency("M"); }), "frequency 'M': M is ME today");
  EXPECT_EQ(message_of<ConfigError>([] { parse_frequency("9223372036854775807D"); }),
            "frequency: a count of 9223372036854775807 is out of range");
}

TEST(Frequency, Advance) {
  EXPECT_EQ(advance(7, parse_frequency("5"), -3), -8);
  EXPECT_EQ(after("2024-02-28 23:45", "15min", 1), "2024-02-29");
  EXPECT_EQ(after("2024-02-28 23:45", "15min", 97), "2024-03-01");
  EXPECT_EQ(after("2023-12-31", "D", 60), "2024-02-29");
  EXPECT_EQ(after("2024-01-05", "B", 1), "2024-01-08");
  EXPECT_EQ(after("2024-01-08", "B", -1), "2024-01-05");
  EXPECT_EQ(after("1969-12-31 09:00", "2B", -2), "1969-12-25 09:00:00");
  EXPECT_EQ(after("2024-01-31", "ME", 1), "2024-02-29");
  EXPECT_EQ(after("2024-02-29", "ME", 1), "2024-03-31");
  EXPECT_EQ(after("2024-02-29", "ME", -12), "2023-02-28");
  EXPECT_EQ(after("2024-01-30", "M-30", 1), "2024-02-29");
  EXPECT_EQ(after("2024-02-29", "M-30", 1), "2024-03-30");
  EXPECT_EQ(after("2024-02-29", "YE-FEB", 1), "2025-02-28");
  EXPECT_EQ(after("2023-02-28", "YE-FEB", 1), "2024-02-29");
  EXPECT_EQ(after("2023-02-28", "Y-28", 1), "2024-02-28");
  EXPECT_EQ(after("2024-11-15 06:30", "Q-FEB-15", 1), "2025-02-15 06:30:00");
  EXPECT_EQ(after("0001-01-01", "YS", 9998), "9999-01-01");
}

TEST(Frequency, StepsBetween) {
  const auto steps = [](std::string_view a, std::string_view b, std::string_view alias) {
    return steps_between(at(a), at(b), parse_frequency(alias));
  };
  EXPECT_EQ(steps("2024-01-31", "2023-11-30", "ME"), -2);
  EXPECT_EQ(steps("2024-01-01", "2024-01-01", "MS"), 0);
  EXPECT_EQ(steps("2024-01-01", "2024-02-02", "MS"), std::nullopt);
  EXPECT_EQ(steps("2024-01-01", "2024-03-01", "QS"), std::nullopt);
  EXPECT_EQ(steps("2024-02-01", "2024-05-01", "QS"), 1) << "any month of a quarter";
  EXPECT_EQ(steps("2024-02-01", "2024-05-01", "QS-JAN"), std::nullopt);
  EXPECT_EQ(steps("2024-02-01", "2024-05-01 12:00", "MS"), std::nullopt) << "another time of day";
  EXPECT_EQ(steps("2024-01-03", "2024-01-17", "W"), 2);
  EXPECT_EQ(steps("2024-01-03", "2024-01-17", "W-MON"), std::nullopt);
  EXPECT_EQ(steps("2024-01-05", "2024-01-08", "B"), 1);
  EXPECT_EQ(steps("2024-01-06", "2024-01-08", "B"), std::nullopt);
  EXPECT_EQ(steps("2024-01-05", "2024-01-08", "2B"), std::nullopt);
  EXPECT_EQ(steps("2024-01-01 00:00", "2024-01-01 02:30", "h"), std::nullopt);
  EXPECT_EQ(steps("0001-01-01", "9999-12-31", "D"), 3652058);
  EXPECT_EQ(steps_between(-kLastStep, kLastStep, parse_frequency("1")), 2 * kLastStep);
  EXPECT_EQ(steps_between(INT64_MIN, 1, parse_frequency("1")), std::nullopt);
  EXPECT_EQ(steps_between(kLastTime, kLastTime + 1, parse_frequency("s")), std::nullopt);
}

TEST(Frequency, OffTheGridAndOutOfTheCalendar) {
  const auto said = [](std::string_view cell, std::string_view alias, int64_t k) {
    return message_of<FormatError>([&] { advance(at(cell), parse_frequency(alias), k); });
  };
  EXPECT_EQ(said("2024-01-02", "MS", 1), "2024-01-02 00:00:00 is not on a grid of MS");
  EXPECT_EQ(said("2024-01-06", "B", 0), "2024-01-06 00:00:00 is not on a grid of B");
  EXPECT_EQ(said("9999-12-31", "D", 1), "9999-12-31 00:00:00 and 1 steps of D: not in the years 1 to 9999");
  for (const char* alias : {"s", "D", "B", "W", "ME", "YE"})
    for (const int64_t k : {INT64_MAX, INT64_MIN, int64_t{1} << 40, -(int64_t{1} << 40)})
      EXPECT_THROW(advance(at("2024-12-31"), parse_frequency(alias), k), FormatError) << alias << k;
  EXPECT_EQ(message_of<FormatError>([] { advance(kLastStep, parse_frequency("1"), 1); }),
            "4611686018427387903 and 1 steps of 1: the number is too large");
  EXPECT_THROW(advance(kLastTime + 1, parse_frequency("s"), -1), FormatError);
  EXPECT_THROW(advance(0, {.unit = Unit::day, .count = 0}, 1), ConfigError);
}

// Every day of the years 1677 to 2262, with the days of a month and of a week counted here.
TEST(Frequency, EveryDay) {
  const Frequency business = parse_frequency("B"), start = parse_frequency("MS"), end = parse_frequency("ME"),
                  thirtieth = parse_frequency("M-30"), leap_day = parse_frequency("Y-FEB-29"),
                  wednesday = parse_frequency("W-WED");
  const Stamp first = at("1677-01-01"), first_end = at("1677-01-31"), first_30 = at("1677-01-30"),
              first_29 = at("1677-02-28"), first_wednesday = at("1677-01-06");
  Stamp day = first;  // a Friday
  int weekday = 4;
  int64_t months = 0, business_days = 0, weeks = 0, year_days = 0;
  for (int year = 1677; year <= 2262; ++year) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const int lengths[] = {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    year_days = 0;
    for (int month = 0; month < 12; ++month, ++months)
      for (int k = 1; k <= lengths[month]; ++k, day += 86400, weekday = (weekday + 1) % 7, ++year_days) {
        ASSERT_EQ(steps_between(first, day, start), k == 1 ? std::optional(months) : std::nullopt);
        ASSERT_EQ(steps_between(first_end, day, end), k == lengths[month] ? std::optional(months) : std::nullopt);
        ASSERT_EQ(steps_between(first_30, day, thirtieth),
                  k == std::min(30, lengths[month]) ? std::optional(months) : std::nullopt);
        ASSERT_EQ(steps_between(first_29, day, leap_day),
                  month == 1 && k == lengths[1] ? std::optional<int64_t>(year - 1677) : std::nullopt);
        ASSERT_EQ(steps_between(first, day, business), weekday < 5 ? std::optional(business_days) : std::nullopt);
        ASSERT_EQ(steps_between(first_wednesday, day, wednesday), weekday == 2 ? std::optional(weeks) : std::nullopt);
        if (k == 1) {
          ASSERT_EQ(advance(first, start, months), day);
        }
        if (k == lengths[month]) {
          ASSERT_EQ(advance(first_end, end, months), day);
        }
        if (weekday < 5) {
          ASSERT_EQ(advance(first, business, business_days++), day);
        }
        if (weekday == 2) ++weeks;
        ASSERT_EQ(feature_value(CalendarFeature::day_of_week, day), weekday / 6.0 - 0.5);
        ASSERT_EQ(feature_value(CalendarFeature::day_of_month, day), (k - 1) / 30.0 - 0.5);
        ASSERT_EQ(feature_value(CalendarFeature::day_of_year, day), static_cast<double>(year_days) / 365 - 0.5);
        ASSERT_EQ(feature_value(CalendarFeature::month_of_year, day), month / 11.0 - 0.5);
      }
  }
  EXPECT_EQ(day, at("2263-01-01"));
}

TEST(CalendarFeatures, WeeksOfIso8601) {
  const auto week = [](std::string_view cell) {
    return (feature_value(CalendarFeature::week_of_year, at(cell)) + 0.5) * 52 + 1;
  };
  EXPECT_EQ(week("2021-01-03"), 53);
  EXPECT_EQ(week("2021-01-04"), 1);
  EXPECT_EQ(week("2024-12-30"), 1);
  EXPECT_EQ(week("2020-12-31"), 53);
  EXPECT_EQ(week("0001-01-01"), 1);
  EXPECT_EQ(week("9999-12-31"), 52);
}

TEST(CalendarFeatures, OfFrequencies) {
  const auto names = [](std::string_view alias) {
    std::string out;
    for (const CalendarFeature f : calendar_features(parse_frequency(alias))) out += str_cat(feature_name(f), " ");
    return out;
  };
  EXPECT_EQ(names("1"), "");
  EXPECT_EQ(names("YE"), "");
  EXPECT_EQ(names("M-15"), "month_of_year ");
  EXPECT_EQ(names("3MS"), "month_of_year ");
  EXPECT_EQ(names("7D"), "day_of_month week_of_year ") << "a week";
}

// Where this is not GluonTS's.
TEST(Frequency, SeasonalityOfDaysWeeksAndSteps) {
  const std::pair<const char*, int64_t> expected[] = {{"D", 7},    {"2D", 1}, {"W", 52},  {"2W", 26}, {"4W-MON", 13},
                                                      {"3W", 1},   {"1", 1},  {"5", 1},   {"24h", 7}, {"M-15", 12},
                                                      {"Q-15", 4}, {"YS", 1}, {"12h", 2}, {"90s", 40}};
  for (const auto& [alias, season] : expected) EXPECT_EQ(seasonality(parse_frequency(alias)), season) << alias;
}

}  // namespace
}  // namespace lookback::data
