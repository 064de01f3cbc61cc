#include "lookback/data/restore.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

std::string tagged(std::string_view text) {
  const PlainWords w = plain_words(text);
  std::string out;
  for (size_t k = 0; k < w.words.size(); ++k) out += (k > 0 ? " " : "") + w.words[k] + "/" + w.tags[k];
  return out;
}

TEST(Restore, WordsAndTags) {
  EXPECT_EQ(tagged("Yes, I met McDonald in the USA."),
            "yes/Capital, i/Capital met/lower mcdonald/miXed in/lower the/lower usa/UPPER.");
  EXPECT_EQ(tagged("How are you ? Fine !"), "how/Capital are/lower you/lower? fine/Capital!");
  EXPECT_EQ(tagged("Well,you know?!"), "well/Capital, you/lower know/lower?");
  EXPECT_EQ(tagged("At 9.30 the U.S. has 1,000 ..."),
            "at/Capital 9.30/lower the/lower u.s/UPPER. has/lower 1,000/lower.");
  EXPECT_EQ(
      tagged("You are right.But at 5 p.m. a Ph.D comes."),
      "you/Capital are/lower right/lower. but/Capital at/lower 5/lower p.m/lower. a/lower ph.d/miXed comes/lower.");
  EXPECT_EQ(tagged("... and .com"), "and/lower. com/lower");
  EXPECT_EQ(tagged("I ’ m 3rd; iPhone"), "i/Capital ’/lower m/lower 3rd;/lower iphone/miXed");
  EXPECT_EQ(tagged("ÉTÉ Été été"), "été/UPPER été/Capital été/lower");
  EXPECT_EQ(tagged(" . "), "");
  EXPECT_THROW(plain_words("\xC3"), FormatError);
}

TEST(Restore, BackAgain) {
  for (const char* const text :
       {"Yes, I met McDonald in the USA.", "Été! At 9.30, the U.S. has 1,000?", "lower only"}) {
    const PlainWords w = plain_words(text);
    MixedCaseCounts counts;
    counts.add(w);
    const std::vector<std::string_view> words(w.words.begin(), w.words.end());
    EXPECT_EQ(restored(words, w.tags, MixedCase(counts.most_frequent(), "test")), text);
  }
  const std::vector<std::string_view> words = {"ebay", "x"};
  EXPECT_EQ(restored(words, StringList{"miXed", "other"}, MixedCase()), "Ebay x");
}

TEST(Restore, TheMostFrequentMixedCase) {
  MixedCaseCounts counts;
  for (const char* const text : {"eBay EBay", "EBay iPhone", "IPhone"}) counts.add(plain_words(text));
  EXPECT_EQ(counts.most_frequent(), (StringList{"EBay", "IPhone"}));
  EXPECT_EQ(*MixedCase({"EBay"}, "test").find("ebay"), "EBay");
  EXPECT_THROW(MixedCase({"EBay", "eBay"}, "test"), FormatError);
  EXPECT_THROW(MixedCase({"ebay"}, "test"), FormatError);
}

}  // namespace
}  // namespace lookback::data
