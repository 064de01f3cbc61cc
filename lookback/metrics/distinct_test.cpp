#include "lookback/metrics/distinct.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"

namespace lookback::metrics {
namespace {

TEST(Distinct, CountsOverAllLines) {
  const Lines lines{"i do not know", "i do  not", "", "Know"};
  EXPECT_DOUBLE_EQ(distinct(lines, 1), 100 * 5.0 / 8) << "case counts";
  EXPECT_DOUBLE_EQ(distinct(lines, 2), 100 * 3.0 / 5) << "no n-gram spans lines";
  EXPECT_DOUBLE_EQ(distinct(lines, 4), 100);
  EXPECT_EQ(distinct(lines, 5), 0);
  EXPECT_EQ(distinct({}, 1), 0);
}

TEST(RepeatedNgrams, IsTheMeanOverLines) {
  // 3 of 4 words came before, none of 2; of 3 bigrams 2; the empty line has none.
  const Lines lines{"a a a a", "b c", ""};
  EXPECT_DOUBLE_EQ(repeated_ngrams(lines, 1), 37.5);
  EXPECT_DOUBLE_EQ(repeated_ngrams(lines, 2), 100.0 / 3);
  EXPECT_DOUBLE_EQ(repeated_ngrams(lines, 3), 50);
  EXPECT_EQ(repeated_ngrams(lines, 5), 0);
}

TEST(RepeatedNgrams, EqualsBruteForce) {
  Rng rng(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> words;
    for (uint64_t k = 3 + rng.below(12); k > 0; --k) words.push_back("w" + std::to_string(rng.below(3)));
    std::string line;
    for (const std::string& w : words) line += w + " ";
    int64_t before = 0, all = 0;
    std::set<std::vector<std::string>> seen;
    for (auto at = words.begin(); words.end() - at >= 3; ++at, ++all) before += !seen.emplace(at, at + 3).second;
    const double share = 100 * static_cast<double>(before) / static_cast<double>(all);
    EXPECT_NEAR(repeated_ngrams({line}, 3), share, 1e-9) << line;
    EXPECT_NEAR(distinct({line}, 3), 100 - share, 1e-9) << line;
  }
}

TEST(Distinct, BadInput) {
  EXPECT_THROW(distinct({"a"}, 0), ConfigError);
  EXPECT_THROW(repeated_ngrams({"a"}, -1), ConfigError);
  const std::string said = message_of<FormatError>([] { distinct({"a", "b\xFF"}, 1); });
  EXPECT_TRUE(said.starts_with("line 2: byte 2 is not UTF-8")) << said;
}

}  // namespace
}  // namespace lookback::metrics
