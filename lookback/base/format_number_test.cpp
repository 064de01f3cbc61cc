#include "lookback/base/format_number.h"

#include <gtest/gtest.h>

#include <limits>

namespace lookback {
namespace {

TEST(FormatNumber, ForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(29000), "29,000");
  EXPECT_EQ(grouped(-123456), "-123,456");
  EXPECT_EQ(duration(59.4), "59s");
  EXPECT_EQ(duration(59.6), "1m 00s");
  EXPECT_EQ(duration(3720), "1h 02m");
  EXPECT_EQ(duration(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(byte_size(999), "999 B");
  EXPECT_EQ(byte_size(999'960), "1.0 MB");
  EXPECT_EQ(byte_size(1'440'000), "1.4 MB");
  EXPECT_EQ(fixed(0.125, 2), "0.12");
  EXPECT_EQ(fixed(-0.001, 2), "0.00");
  EXPECT_EQ(fixed(-1.5, 1), "-1.5");
  EXPECT_EQ(fixed(1e300, 0).size(), 301U);
}

}  // namespace
}  // namespace lookback
