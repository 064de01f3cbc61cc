#include "lookback/base/error.h"

#include <gtest/gtest.h>

namespace lookback {
namespace {

// Throws E through check and returns its message, having been caught as the root.
template <class E>
std::string message_of_thrown() {
  try {
    check<E>(false, "lstm: wx must be [", 8, ",", 3, "], got ", 1.5, ' ', std::string("end"));
  } catch (const Error& e) {
    EXPECT_NE(dynamic_cast<const E*>(&e), nullptr);
    return e.what();
  }
  return "nothing was thrown";
}

TEST(Error, EveryKindIsCaughtAsTheRootWithItsMessage) {
  const std::string expected = "lstm: wx must be [8,3], got 1.5 end";
  EXPECT_EQ(message_of_thrown<ShapeError>(), expected);
  EXPECT_EQ(message_of_thrown<ConfigError>(), expected);
  EXPECT_EQ(message_of_thrown<FormatError>(), expected);
  EXPECT_EQ(message_of_thrown<IoError>(), expected);
  EXPECT_EQ(message_of_thrown<NumericError>(), expected);
  EXPECT_EQ(message_of_thrown<DeviceError>(), expected);
}

struct CountsFormatting {
  int* times;
  friend std::ostream& operator<<(std::ostream& out, const CountsFormatting& c) {
    ++*c.times;
    return out;
  }
};

TEST(Error, PartsAreFormattedOnlyOnFailure) {
  int times = 0;
  check(true, CountsFormatting{&times});
  EXPECT_EQ(times, 0);
  EXPECT_THROW(check(false, CountsFormatting{&times}), ShapeError);
  EXPECT_EQ(times, 1);
}

TEST(Error, TextStreamsItsParts) { EXPECT_EQ(str_cat("row ", 3, ": ", int64_t{-9000000000}), "row 3: -9000000000"); }

}  // namespace
}  // namespace lookback
