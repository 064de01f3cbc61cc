#include "lookback/base/quoted_list.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"

namespace lookback {
namespace {

using Strings = std::vector<std::string>;

Strings parsed(std::string_view list) { return parse_quoted_list(list, "--set: data.train"); }

std::string complaint(std::string_view list) {
  try {
    parsed(list);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

TEST(QuotedList, StringsInEitherQuotes) {
  EXPECT_EQ(parsed("[]"), Strings{});
  EXPECT_EQ(parsed(R"(["a","b"])"), (Strings{"a", "b"}));
  EXPECT_EQ(parsed(" [ 'a, b' ,\n\t\"ü]\" , ] "), (Strings{"a, b", "ü]"}));
  EXPECT_EQ(parsed(R"(["", 'C:\x'])"), (Strings{"", R"(C:\x)"}));
}

TEST(QuotedList, WholeNumbersMayStandAsTheyAre) {
  EXPECT_EQ(parsed("[2000]"), Strings{"2000"});
  EXPECT_EQ(parsed("[4000, -1, '7' ]"), (Strings{"4000", "-1", "7"}));
  EXPECT_NE(complaint("[4e3]").find("a comma or ] is missing at e3]"), std::string::npos) << complaint("[4e3]");
}

TEST(QuotedList, EscapesAreThoseOfToml) {
  EXPECT_EQ(parsed(R"(["\b\t\n\f\r\"\\"])"), (Strings{"\b\t\n\f\r\"\\"}));
  EXPECT_EQ(parsed(R"(["\u0041\u00fc\u20AC\U0001F600"])"), (Strings{"Aü€😀"}));
  for (const char* list : {R"(["\x41"])", R"(["\u004"])", R"(["\u00g1"])", R"(["\uD800"])", R"(["\U00110000"])",
                           R"(["\u-041"])", R"(["\)", R"(["\U"])"})
    EXPECT_NE(complaint(list).find("an escape that TOML does not have"), std::string::npos) << complaint(list);
}

TEST(QuotedList, WhatIsWrongIsSaidOnce) {
  EXPECT_EQ(complaint("[a,b]"),
            "--set: data.train is not a list: a string in quotes or a whole number is missing at a,b]; write [\"a\", "
            "\"b\"], in a shell "
            "between '...', or a,b");
  const auto says = [](std::string_view list, const char* what) {
    EXPECT_NE(complaint(list).find(what), std::string::npos) << list << ": " << complaint(list);
  };
  says("[", "a string in quotes or a whole number is missing at the end");
  says("[,]", "a string in quotes or a whole number is missing at ,]");
  says("['a',,'b']", "a string in quotes or a whole number is missing at ,'b']");
  says("['a' 'b']", "a comma or ] is missing at 'b']");
  says("['a'", "a comma or ] is missing at the end");
  says("['a", "a string is not closed at the end");
  says("['a']x", "something follows its ] at x");
  says("['a\nb']", "a control character");
  says("'a'", "does not begin with [");
}

}  // namespace
}  // namespace lookback
