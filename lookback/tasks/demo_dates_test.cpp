#include <gtest/gtest.h>

#include <ctime>
#include <set>

#include "lookback/base/utf8.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {
namespace {

TEST(DemoDates, AFunctionOfTheSeed) {
  const auto a = demo_dates(50, 1, false), b = demo_dates(50, 1, false), c = demo_dates(50, 2, false);
  ASSERT_EQ(a.size(), 50U);
  int different = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    EXPECT_EQ(a[k].human, b[k].human);
    EXPECT_EQ(a[k].iso, b[k].iso);
    different += a[k].iso != c[k].iso;
  }
  EXPECT_GT(different, 40);
  EXPECT_TRUE(demo_dates(0, 1, true).empty());
}

TEST(DemoDates, HeldOutDatesAreNeverTrainedOn) {
  std::set<std::string> trained, held_out;
  for (const auto& p : demo_dates(60000, 1, false)) trained.insert(p.iso);
  for (const auto& p : demo_dates(10000, 2, true)) held_out.insert(p.iso);
  for (const auto& d : held_out) EXPECT_FALSE(trained.contains(d)) << d;
  EXPECT_GT(trained.size(), 25000U);
  EXPECT_GT(held_out.size(), 3000U);
}

// The days of the calendar, by the C library.
std::string iso_of(int64_t days) {
  const std::time_t t = days * 86400;
  std::tm tm{};
  gmtime_r(&t, &tm);
  char out[11];
  std::strftime(out, sizeof out, "%Y-%m-%d", &tm);
  return out;
}

TEST(DemoDates, EveryDateIsInTheCalendar) {
  std::set<std::string> calendar;
  for (int64_t d = 0; d < 36525; ++d) calendar.insert(iso_of(d));
  EXPECT_EQ(*calendar.rbegin(), "2069-12-31");
  for (const bool held_out : {false, true})
    for (const auto& p : demo_dates(5000, 3, held_out)) {
      EXPECT_TRUE(calendar.contains(p.iso)) << p.iso;
      EXPECT_TRUE(valid_utf8(p.human)) << p.human;
      EXPECT_FALSE(p.human.empty());
      EXPECT_EQ(p.human.find_first_of("\t\n"), std::string::npos);
    }
}

TEST(DemoDates, WrittenDatesMeanTheirIsoForm) {
  // Whatever the style, day and year are in it, and English weekdays are right.
  const char* days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int weekdays = 0, names = 0;
  for (const auto& p : demo_dates(5000, 4, false)) {
    const int year = std::stoi(p.iso.substr(0, 4)), month = std::stoi(p.iso.substr(5, 2)),
              day = std::stoi(p.iso.substr(8, 2));
    EXPECT_NE(p.human.find(std::to_string(day)), std::string::npos) << p.human << ' ' << p.iso;
    EXPECT_NE(p.human.find(std::to_string(year).substr(2)), std::string::npos) << p.human << ' ' << p.iso;
    std::tm tm{};
    tm.tm_year = year - 1900, tm.tm_mon = month - 1, tm.tm_mday = day, tm.tm_hour = 12;
    timegm(&tm);
    for (const char* name : days)
      if (p.human.find(name) != std::string::npos) {
        EXPECT_STREQ(name, days[tm.tm_wday]) << p.human << ' ' << p.iso;
        ++weekdays;
        EXPECT_NE(p.human.find(months[month - 1]), std::string::npos) << p.human << ' ' << p.iso;
      }
    names += p.human.find(months[month - 1]) != std::string::npos;
  }
  EXPECT_GT(weekdays, 200);
  EXPECT_GT(names, 1000);
}

}  // namespace
}  // namespace lookback::tasks
