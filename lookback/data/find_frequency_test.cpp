#include "lookback/data/find_frequency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/testing.h"

namespace lookback::data {
namespace {

using Cells = std::vector<std::string_view>;
using Stamps = std::vector<Stamp>;

struct Column {
  StampStyle style;
  std::vector<Stamps> series;

  explicit Column(const std::vector<Cells>& cells) {
    Cells all;
    for (const Cells& s : cells) all.insert(all.end(), s.begin(), s.end());
    style = find_style(all);
    for (const Cells& s : cells) {
      series.emplace_back();
      for (const std::string_view cell : s) {
        const ParsedStamp parsed = parse_stamp(cell, style);
        EXPECT_EQ(parsed.why, "") << cell;
        series.back().push_back(parsed.stamp);
      }
    }
  }
  // Called a, b, ... if there are several.
  std::vector<SeriesStamps> named() const {
    std::vector<SeriesStamps> out;
    for (size_t k = 0; k < series.size(); ++k)
      out.push_back({series.size() > 1 ? std::string(1, static_cast<char>('a' + k)) : "", series[k]});
    return out;
  }
};

// "" for none.
std::string found(const std::vector<Cells>& cells) {
  const Column column(cells);
  const auto frequency = find_frequency(column.named(), column.style);
  return frequency ? frequency_alias(*frequency) : "";
}
std::string refused(const std::vector<Cells>& cells) {
  return message_of<FormatError>([&] { found(cells); });
}

TEST(FindFrequency, OnePointHasNone) {
  EXPECT_EQ(found({{"2024-01-01"}}), "");
  EXPECT_EQ(found({{"2024-01-01", "2024-01-01"}, {"2024-01-02"}}), "");
  EXPECT_EQ(find_frequency(std::span<const SeriesStamps>(), {}), std::nullopt);
  EXPECT_EQ(find_frequency(Stamps{}, {}), std::nullopt);
  EXPECT_EQ(find_frequency(Stamps{0, 3600}, {}), parse_frequency("h"));
}

TEST(FindFrequency, Steps) {
  EXPECT_EQ(found({{"0", "1", "2", "3"}}), "1");
  EXPECT_EQ(found({{"100", "90", "70", "60", "60"}}), "10");
  EXPECT_EQ(found({{"1", "2", "3"}, {"5", "7"}}), "1");
  EXPECT_EQ(refused({{"1", "3", "5", "6"}}),
            "the times are not regular: most are a multiple of 2 apart, but 5 and 6 are no whole number of steps of 2 "
            "apart; correct them, or give the frequency");
}

TEST(FindFrequency, GapsDuplicatesAndAnyOrder) {
  EXPECT_EQ(found({{"2024-03-10 03:00", "2024-03-10 00:00", "2024-03-10 01:00", "2024-03-10 01:00"}}), "h")
      << "an hour without, one twice: summer time";
  EXPECT_EQ(found({{"2024-01-01", "2024-01-02", "2024-01-04", "2024-01-10", "2024-01-13"}}), "D");
  EXPECT_EQ(found({{"2024-01-01", "2024-01-08", "2024-01-29"}}), "W-MON");
  EXPECT_EQ(found({{"2024-01", "2024-02", "2024-06", "2024-09"}}), "MS") << "of 1, 3 and 4 months the smallest";
  EXPECT_EQ(found({{"2023-01-31", "2024-02-29", "2023-02-28", "2023-06-30"}}), "ME");
  EXPECT_EQ(found({{"2001", "2002", "2005"}}), "YS-JAN");
  EXPECT_EQ(found({{"2000", "2010", "2040"}}), "10YS-JAN");
}

TEST(FindFrequency, MonthsBeforeDays) {
  EXPECT_EQ(found({{"2021-02-01", "2021-03-01"}}), "MS") << "four weeks, too";
  EXPECT_EQ(found({{"2021-02-15", "2021-03-15", "2021-04-15"}}), "M-15");
  EXPECT_EQ(found({{"2021-01-30", "2021-02-28", "2021-03-30"}}), "M-30");
  EXPECT_EQ(found({{"2021-01-29", "2021-02-28", "2021-03-29"}}), "M-29");
  EXPECT_EQ(found({{"2021-04-30", "2021-06-30"}}), "2ME") << "ends rather than the 30th";
  EXPECT_EQ(found({{"2021-02-28", "2022-02-28"}}), "YE-FEB");
  EXPECT_EQ(found({{"2023-02-28", "2024-02-28"}}), "Y-FEB-28");
  EXPECT_EQ(found({{"2020-02-29", "2021-02-28", "2024-02-29"}}), "YE-FEB");
  EXPECT_EQ(found({{"2021-02-15 12:00", "2021-05-15 12:00", "2021-08-15 12:00"}}), "Q-FEB-15");
  EXPECT_EQ(found({{"2021-03-31", "2021-06-30", "2021-12-31"}}), "QE-DEC");
  EXPECT_EQ(found({{"2021-01-31", "2021-02-01"}}), "D");
  EXPECT_EQ(found({{"2021-01-01", "2022-01-01", "2023-01-01", "2024-01-01"}}), "YS-JAN");
  EXPECT_EQ(found({{"2022-01-01", "2023-01-01", "2024-01-01", "2024-12-31"}}), "365D");
}

TEST(FindFrequency, BusinessDays) {
  EXPECT_EQ(found({{"2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"}}), "B");
  EXPECT_EQ(found({{"2024-01-04", "2024-01-05", "2024-01-09", "2024-01-10"}}), "B") << "a holiday";
  EXPECT_EQ(found({{"2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11", "2024-01-12"}}), "D") << "one week";
  EXPECT_EQ(found({{"2024-01-05", "2024-01-08", "2024-01-11"}}), "3D");
  EXPECT_EQ(found({{"2024-01-08", "2024-01-10", "2024-01-12", "2024-01-16", "2024-01-18", "2024-01-22"}}), "2B");
  EXPECT_EQ(found({{"2024-01-04", "2024-01-05", "2024-01-08", "2024-01-13"}}), "D") << "a Saturday";
  EXPECT_EQ(found({{"2024-01-04 17:00", "2024-01-05 17:00", "2024-01-08 17:00"}}), "B");
  EXPECT_EQ(found({{"2024-01-05 16:00", "2024-01-05 17:00", "2024-01-08 09:00"}}), "h");
  EXPECT_EQ(refused({{"2024-01-08", "2024-01-10", "2024-01-12", "2024-01-15", "2024-01-17"}}),
            "the times are not regular: most are a multiple of 2D apart, but 2024-01-12 and 2024-01-15 are no whole "
            "number of steps of 2D apart; correct them, or give the frequency")
      << "Monday, Wednesday, Friday";
}

TEST(FindFrequency, SeveralSeries) {
  EXPECT_EQ(found({{"2024-01-01", "2024-01-08"}, {"2024-01-01", "2024-01-15"}}), "W-MON");
  EXPECT_EQ(found({{"2024-01-01", "2024-01-08"}, {"2024-01-03", "2024-01-10"}}), "W") << "each its own day";
  EXPECT_EQ(found({{"2024-01-01", "2024-01-08"}, {"2024-01-03"}}), "W") << "one point counts for the day";
  EXPECT_EQ(found({{"2024-01", "2024-04"}, {"2024-02", "2024-05"}}), "QS");
  EXPECT_EQ(found({{"2024-01-01 00:30", "2024-01-01 01:30"}, {"2024-01-01 00:00", "2024-01-01 01:00"}}), "h");
  EXPECT_EQ(found({{"2024-01-01", "2024-01-03"}, {"2024-01-01", "2024-01-02", "2024-01-03"}}), "D");
  EXPECT_EQ(found({{"2024-01-01", "2024-02-01"}, {}}), "MS");
  EXPECT_EQ(
      refused({{"2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00"},
               {"2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 01:30"}}),
      "the times are not regular: most are a multiple of h apart, but series 'b': 2024-01-01 01:00 and 2024-01-01 "
      "01:30 are no whole number of steps of h apart; correct them, or give the frequency");
  EXPECT_EQ(
      refused({{"2024-01-01", "2024-02-01", "2024-03-01"}, {"2024-01-15", "2024-02-15"}}),
      "the times are not regular: most are a multiple of MS apart, but series 'b': 2024-01-15 is not on a grid of "
      "MS; correct them, or give the frequency");
}

TEST(FindFrequency, NamesTheFirstPairThatIsOff) {
  EXPECT_EQ(
      refused({{"2024-01-01", "2024-02-01", "2024-04-01", "2024-03-02", "2024-05-01", "2024-06-01", "2024-07-01"}}),
      "the times are not regular: most are a multiple of MS apart, but 2024-03-02, after 2024-02-01, is not on a "
      "grid of MS; correct them, or give the frequency");
  EXPECT_EQ(
      refused({{"2024-01-01 00:00:00", "2024-01-01 01:00:00", "2024-01-01 02:00:01", "2024-01-01 03:00:00",
                "2024-01-01 04:00:00"}}),
      "the times are not regular: most are a multiple of h apart, but 2024-01-01 01:00:00 and 2024-01-01 02:00:01 "
      "are no whole number of steps of h apart; correct them, or give the frequency");
}

TEST(FindFrequency, OfTheUser) {
  const Column column({{"2024-01-05", "2024-01-08", "2024-01-09"}, {"2024-01-12", "2024-01-14"}});
  check_on_grid(column.named(), parse_frequency("D"), column.style);
  EXPECT_EQ(message_of<FormatError>([&] { check_on_grid(column.named(), parse_frequency("B"), column.style); }),
            "series 'b': 2024-01-14, after 2024-01-12, is not on a grid of B");
  EXPECT_EQ(message_of<FormatError>([&] { check_on_grid(column.named(), parse_frequency("3D"), column.style); }),
            "series 'a': 2024-01-08 and 2024-01-09 are no whole number of steps of 3D apart");
}

// A grid is found again from any part of it with three stamps in a row, in any order.
TEST(FindFrequency, OfEveryGrid) {
  for (const char* alias :
       {"s",  "7s", "15min", "90min", "h",   "36h",    "D",      "10D",     "B",      "W-TUE", "2W-SUN",
        "MS", "ME", "M-15",  "M-30",  "5ME", "QS-FEB", "QE-NOV", "2QS-MAR", "YS-JUL", "YE-FEB"}) {
    const Frequency frequency = parse_frequency(alias);
    Stamp begin = -2835907200;  // 1880-02-19, or the last one on the grid before
    while (!steps_between(begin, begin, frequency)) begin -= 86400;
    Stamps stamps;
    for (const int64_t k : {0, 1, 2, 3, 6, 7, 8, 20, 21, 22, 23, 24, 25, 26})
      stamps.push_back(advance(begin, frequency, k));
    EXPECT_EQ(find_frequency(stamps, {}), frequency) << alias;
    std::ranges::reverse(stamps);
    EXPECT_EQ(find_frequency(stamps, {}), frequency) << alias;
  }
}

}  // namespace
}  // namespace lookback::data
