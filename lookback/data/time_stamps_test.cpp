#include "lookback/data/time_stamps.h"

#include <gtest/gtest.h>

#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"

namespace lookback::data {
namespace {

using Cells = std::vector<std::string_view>;

std::string pattern_of(const Cells& cells) { return style_pattern(find_style(cells)); }

// By a pattern: "" or what is wrong with it.
std::string why(std::string_view cell, std::string_view pattern = "YYYY-MM-DD") {
  const ParsedStamp parsed = parse_stamp(cell, parse_style_pattern(pattern));
  EXPECT_TRUE(parsed.why.empty() || parsed.stamp == 0);
  return parsed.why;
}

Stamp stamp(std::string_view cell, std::string_view pattern) {
  const ParsedStamp parsed = parse_stamp(cell, parse_style_pattern(pattern));
  EXPECT_EQ(parsed.why, "") << cell;
  return parsed.stamp;
}

TEST(TimeStamps, StylesOfColumns) {
  EXPECT_EQ(pattern_of({"2024-01-31"}), "YYYY-MM-DD");
  EXPECT_EQ(pattern_of({"", "x", "2024/01/31", "2024-01-31"}), "YYYY/MM/DD") << "the first stamp";
  EXPECT_EQ(pattern_of({"2024-01"}), "YYYY-MM");
  EXPECT_EQ(pattern_of({"2024-01-31T12:00"}), "YYYY-MM-DDTHH:MM");
  EXPECT_EQ(pattern_of({" 2024-01-31 12:00:00.00Z "}), "YYYY-MM-DD HH:MM:SS.00Z");
  EXPECT_EQ(pattern_of({"2024-01-31 12:00+0200", "2024-06-30 12:00+0200"}), "YYYY-MM-DD HH:MM+0200");
  EXPECT_EQ(pattern_of({"2024-01-31 12:00+01:00", "2024-06-30 12:00+02:00", "2024-06-30 12:00+02:00"}),
            "YYYY-MM-DD HH:MM+00:00");
  EXPECT_EQ(pattern_of({"2024-01-31 12:00-05:30", "x", "2024-01-31 12:00Z"}), "YYYY-MM-DD HH:MM-05:30");
}

TEST(TimeStamps, YearsAreIntegersOfFourDigitsThroughout) {
  EXPECT_EQ(pattern_of({"1600", "", "2299"}), "YYYY");
  EXPECT_EQ(pattern_of({"2024", "2300"}), "step");
  EXPECT_EQ(pattern_of({"1599", "1600"}), "step");
  EXPECT_EQ(pattern_of({"2024", "1"}), "step");
  EXPECT_EQ(pattern_of({"0", "1", "2"}), "step");
  EXPECT_EQ(pattern_of({"-2024"}), "step");
  EXPECT_EQ(stamp("1970", "YYYY"), 0);
  EXPECT_EQ(stamp("0001", "YYYY"), kFirstTime);
  EXPECT_EQ(stamp("2024", "step"), 2024);
  EXPECT_EQ(why("0000", "YYYY"), "there is no year 0");
  EXPECT_EQ(why("24", "YYYY"), "written as step, its column as YYYY");
}

TEST(TimeStamps, ColumnsWithoutAStyle) {
  const auto said = [](const Cells& cells) { return message_of<FormatError>([&] { find_style(cells); }); };
  EXPECT_EQ(said({}), "no cell is a time: all are empty");
  EXPECT_EQ(said({"", " "}), "no cell is a time: all are empty");
  EXPECT_EQ(said({" ", "2024-13-01", "x"}), "no cell is a time: '2024-13-01': there is no month 13");
  EXPECT_EQ(said({"20240131", "20240201"}),
            "numbers that look like dates without separators; write 2024-01-31, not 20240131");
  EXPECT_EQ(said({"202401", "202412"}), "numbers that look like dates without separators; write 2024-01, not 202401");
  EXPECT_EQ(pattern_of({"20240131", "20240132"}), "step");
  EXPECT_EQ(pattern_of({"202412", "202413"}), "step");
}

TEST(TimeStamps, CellsByHand) {
  EXPECT_EQ(stamp("1970-01-02", "YYYY-MM-DD"), 86400);
  EXPECT_EQ(stamp(" 1969-12-31\t", "YYYY-MM-DD"), -86400);
  EXPECT_EQ(stamp("2000-03", "YYYY-MM"), 951868800);
  EXPECT_EQ(stamp("0001-01-01", "YYYY-MM-DD"), kFirstTime);
  EXPECT_EQ(stamp("9999-12-31 23:59:59", "YYYY-MM-DD HH:MM:SS"), kLastTime);
  EXPECT_EQ(stamp("1970-01-01 02:00+02:00", "YYYY-MM-DD HH:MM+00:00"), 0) << "another offset than the style's";
  EXPECT_EQ(stamp("1970-01-01T00:00:00.000-0130", "YYYY-MM-DDTHH:MM:SS.000+0000"), 5400);
  EXPECT_EQ(stamp("-17", "step"), -17);
  EXPECT_EQ(stamp("4611686018427387903", "step"), kLastStep);
}

TEST(TimeStamps, WhatIsOutOfRange) {
  EXPECT_EQ(why("2021-13-01"), "there is no month 13");
  EXPECT_EQ(why("2021-00-01"), "there is no month 0");
  EXPECT_EQ(why("2021-02-30"), "the month has no day 30");
  EXPECT_EQ(why("2021-02-29"), "the month has no day 29");
  EXPECT_EQ(why("2020-02-29"), "");
  EXPECT_EQ(why("1900-02-29"), "the month has no day 29");
  EXPECT_EQ(why("2021-01-00"), "the month has no day 0");
  EXPECT_EQ(why("0000-01-01"), "there is no year 0");
  const std::string_view to_second = "YYYY-MM-DD HH:MM:SS", with_zone = "YYYY-MM-DD HH:MM:SS+00:00";
  EXPECT_EQ(why("2021-01-01 24:00:00", to_second), "there is no hour 24; midnight is 00:00 of the next day");
  EXPECT_EQ(why("2021-01-01 23:60:00", to_second), "there is no minute 60");
  EXPECT_EQ(why("2016-12-31 23:59:60", to_second), "there is no second 60; leap seconds are not counted");
  EXPECT_EQ(why("2021-01-01 00:00:00.500", to_second), "a fraction of a second; times are whole seconds");
  EXPECT_EQ(why("0001-01-01 00:00:00+00:01", with_zone), "in UTC not in the years 1 to 9999");
  EXPECT_EQ(why("9999-12-31 23:59:59-00:01", with_zone), "in UTC not in the years 1 to 9999");
  EXPECT_EQ(why("2021-01-01 00:00:00+15:00", with_zone), "an offset from UTC has at most 14 hours, and 59 minutes");
  EXPECT_EQ(why("2021-01-01 00:00:00+01:60", with_zone), "an offset from UTC has at most 14 hours, and 59 minutes");
  for (const char* number : {"4611686018427387904", "-4611686018427387904", "99999999999999999999"})
    EXPECT_EQ(why(number, "step"), "the number of a step is too large");
  EXPECT_EQ(why("007", "step"), "the number of a step begins with 0");
  EXPECT_EQ(why("-0", "step"), "the number of a step is -0");
}

TEST(TimeStamps, WhatIsNoTime) {
  EXPECT_EQ(why(" \t"), "the time is empty");
  for (const char* cell : {"01/02/2020", "1/2/20", "31.01.2020", "1-2-2020 10:00"})
    EXPECT_EQ(why(cell), "day, month and year in an order that is not certain; write YYYY-MM-DD") << cell;
  const std::string advice = "; write 2024-01-31, 2024-01-31 12:00:00, or the number of a step";
  for (const char* cell : {"yesterday", "1.5", "-", "20200-01-01", "2020.01.01", "2020-01-01-", "12:00", "2020-01/02",
                           "2020-", "NaT", "\xff\xff", "+5", "Jan 2020", "1/2", "1/2/3/4"})
    EXPECT_NE(why(cell), "") << cell;
  EXPECT_EQ(why("yesterday"), "not a time" + advice);
  EXPECT_EQ(why("2020-1-05"), "the month has not 2 digits" + advice);
  EXPECT_EQ(why("2020-01-5"), "the day has not 2 digits" + advice);
  EXPECT_EQ(why("2020-01/05"), "not a time" + advice);
  EXPECT_EQ(why("2020-01-05Z"), "something behind the date" + advice);
  EXPECT_EQ(why("2020-01-05 12"), "no minutes behind the hour" + advice);
  EXPECT_EQ(why("2020-01-05 12:00 UTC"), "something behind the time of day" + advice);
  EXPECT_EQ(why("2020-01-05 12:00:00,5"), "something behind the time of day" + advice);
  EXPECT_EQ(why("2020-01-05 12:00:00+02"), "the offset's minute has not 2 digits" + advice);
  EXPECT_EQ(why("2020-01-05 12:00:00."), "the fraction of a second has not 1 to 9 digits");
  EXPECT_EQ(why("2020-01-05 12:00:00.0000000000"), "the fraction of a second has not 1 to 9 digits");
}

TEST(TimeStamps, AnotherStyleThanTheColumn) {
  EXPECT_EQ(why("2020-01-05 12:00"), "written as YYYY-MM-DD HH:MM, its column as YYYY-MM-DD");
  EXPECT_EQ(why("2020/01/05"), "written as YYYY/MM/DD, its column as YYYY-MM-DD");
  EXPECT_EQ(why("5"), "written as step, its column as YYYY-MM-DD");
  EXPECT_EQ(why("2020-01-05", "step"), "written as YYYY-MM-DD, its column as step");
  EXPECT_EQ(why("2020-01-05 12:00Z", "YYYY-MM-DD HH:MM+00:00"),
            "written as YYYY-MM-DD HH:MMZ, its column as YYYY-MM-DD HH:MM+00:00");
}

TEST(TimeStamps, Format) {
  const auto written = [](Stamp s, const char* pattern) { return format_stamp(s, parse_style_pattern(pattern)); };
  EXPECT_EQ(written(0, "YYYY"), "1970");
  EXPECT_EQ(written(kFirstTime, "YYYY/MM"), "0001/01");
  EXPECT_EQ(written(-5, "step"), "-5");
  EXPECT_EQ(written(kLastTime, "YYYY-MM-DDTHH:MM:SS.000Z"), "9999-12-31T23:59:59.000Z");
  EXPECT_EQ(written(0, "YYYY-MM-DD HH:MM-0930"), "1969-12-31 14:30-0930");
  const auto said = [&](Stamp s, const char* pattern) { return message_of<FormatError>([&] { written(s, pattern); }); };
  EXPECT_EQ(said(43200, "YYYY-MM-DD"),
            "1970-01-01 would stand for 1970-01-01 12:00:00, which cannot be written as YYYY-MM-DD");
  EXPECT_EQ(said(30, "YYYY-MM-DD HH:MM"),
            "1970-01-01 00:00 would stand for 1970-01-01 00:00:30, which cannot be written as YYYY-MM-DD HH:MM");
  EXPECT_EQ(said(86400, "YYYY-MM"), "1970-01 would stand for 1970-01-02 00:00:00, which cannot be written as YYYY-MM");
  EXPECT_EQ(said(kLastTime + 1, "YYYY"), "a time (253402300800 s from 1970) is not in the years 1 to 9999");
  EXPECT_THROW(written(INT64_MAX, "YYYY-MM-DD HH:MM+00:00"), FormatError);
  EXPECT_THROW(written(kFirstTime, "YYYY-MM-DD HH:MM-01:00"), FormatError) << "the year 0 there";
}

TEST(TimeStamps, Patterns) {
  for (const char* pattern : {"step", "YYYY", "YYYY-MM", "YYYY/MM/DD", "YYYY-MM-DDTHH:MM", "YYYY-MM-DD HH:MM:SS",
                              "YYYY/MM/DD HH:MM:SS.000000000-1130", "YYYY-MM-DDTHH:MMZ"})
    EXPECT_EQ(style_pattern(parse_style_pattern(pattern)), pattern);
  for (const char* pattern : {"", "steps", "YY", "YYYY-DD", "2000-01-01", "YYYY-MM-DD HH", "DD/MM/YYYY", "0",
                              "YYYY-MM-DD HH:MM+hh:mm", "YYYYYMM"})
    EXPECT_EQ(message_of<FormatError>([&] { parse_style_pattern(pattern); }),
              str_cat("'", pattern, "' is no way to write times"));
}

// Every day of the years 1677 to 2262 and both ends of the calendar, with the days of a month counted here.
TEST(TimeStamps, EveryDay) {
  const StampStyle style;
  Stamp expected = kFirstTime;
  for (int year = 1; year <= 9999; ++year) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const int lengths[] = {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool look = year < 5 || (year >= 1677 && year <= 2262) || year > 9995;
    for (int month = 1; month <= 12; ++month)
      for (int day = 1; day <= lengths[month - 1]; ++day, expected += 86400) {
        if (!look) continue;
        char cell[40];
        std::snprintf(cell, sizeof cell, "%04d-%02d-%02d", year, month, day);
        ASSERT_EQ(parse_stamp(cell, style).stamp, expected) << cell;
        ASSERT_EQ(format_stamp(expected, style), cell);
      }
  }
  EXPECT_EQ(expected, kLastTime + 1);
}

// Whatever a damaged cell is, it is refused, or has one meaning: it is written as it was.
TEST(TimeStamps, DamagedCells) {
  Rng rng(1);
  const Cells whole = {
      "2024-02-29", "2024/12/31 23:59:59", "2024-02-29T12:00:00.000+02:00", "2024-06-30 00:00-0930", "2024-01", "1999",
      "-123",       "1970-01-01T00:00Z"};
  const std::string_view bytes = "0123456789-/:.+ TZ\xff";
  int stamps = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string cell(whole[rng.below(whole.size())]);
    for (uint64_t k = 0; k <= rng.below(2); ++k) {
      const size_t at = rng.below(cell.size());
      switch (rng.below(3)) {
        case 0:
          cell[at] = bytes[rng.below(bytes.size())];
          break;
        case 1:
          cell.erase(at, 1);
          break;
        default:
          cell.insert(at, 1, bytes[rng.below(bytes.size())]);
      }
      if (cell.empty()) cell = " ";
    }
    const Cells column = {cell};
    StampStyle style;
    try {
      style = find_style(column);
    } catch (const FormatError&) {
      continue;
    }
    ++stamps;
    const ParsedStamp parsed = parse_stamp(cell, style);
    ASSERT_EQ(parsed.why, "") << cell;
    const size_t begin = cell.find_first_not_of(' '), end = cell.find_last_not_of(' ');
    ASSERT_EQ(format_stamp(parsed.stamp, style), cell.substr(begin, end - begin + 1));
  }
  EXPECT_GT(stamps, 10'000);
}

}  // namespace
}  // namespace lookback::data
