#include "lookback/models/nearest_pair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "lookback/base/rng.h"

namespace lookback {
namespace {

Symbols symbols(const std::string& text) { return {text.begin(), text.end()}; }

// The plainest table.
int64_t distance_by_table(const Symbols& a, const Symbols& b) {
  std::vector<std::vector<int64_t>> d(a.size() + 1, std::vector<int64_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j)
      d[i][j] = i == 0   ? static_cast<int64_t>(j)
                : j == 0 ? static_cast<int64_t>(i)
                         : std::min({d[i - 1][j - 1] + (a[i - 1] != b[j - 1]), d[i - 1][j] + 1, d[i][j - 1] + 1});
  return d[a.size()][b.size()];
}

Symbols drawn(Rng& rng, uint64_t longest, uint64_t alphabet) {
  Symbols out(rng.below(longest + 1));
  for (int32_t& s : out) s = static_cast<int32_t>(rng.below(alphabet));
  return out;
}

TEST(NearestPair, DistancesAreThoseOfTheTable) {
  Rng rng(1);
  for (const uint64_t longest : {5U, 64U, 70U, 150U})
    for (int k = 0; k < 60; ++k) {
      const Symbols a = drawn(rng, longest, 4), b = drawn(rng, longest, 6);
      EXPECT_EQ(edit_distance(a, b), distance_by_table(a, b)) << a.size() << " " << b.size();
    }
  EXPECT_EQ(edit_distance(Symbols(64, 1), Symbols(64, 2)), 64);
  EXPECT_EQ(edit_distance({}, {}), 0);
}

TEST(NearestPair, TheNearestIsThatOfASearchThroughAll) {
  Rng rng(2);
  std::vector<Symbols> all;
  for (int k = 0; k < 300; ++k) all.push_back(drawn(rng, 12, 3));
  const NearestSequence index(all);
  for (int k = 0; k < 200; ++k) {
    const Symbols query = drawn(rng, k % 10 == 0 ? 90 : 14, 5);
    for (const bool only_odd : {false, true}) {
      std::pair<int64_t, size_t> want{1000, 0};
      for (size_t n = 0; n < all.size(); ++n)
        if (!only_odd || n % 2 == 1) want = std::min(want, {distance_by_table(query, all[n]), n});
      const auto found = only_odd ? index.nearest(query, [](size_t n) { return n % 2 == 1; }) : index.nearest(query);
      EXPECT_EQ(found, want.second);
    }
  }
}

TEST(NearestPair, OfEqualsTheFirstAndOfNoneNothing) {
  EXPECT_EQ(NearestSequence({symbols("abd"), symbols("abc"), symbols("abc")}).nearest(symbols("abc")), 1U);
  EXPECT_EQ(NearestSequence({symbols("xy"), symbols("abcd"), symbols("ab")}).nearest(symbols("abc")), 1U);
  EXPECT_EQ(NearestSequence({}).nearest(symbols("abc")), std::nullopt);
  EXPECT_EQ(NearestSequence({symbols("abc")}).nearest(symbols("abc"), [](size_t) { return false; }), std::nullopt);
  EXPECT_EQ(NearestSequence({symbols("abc"), {}}).nearest({}), 1U);
}

TEST(NearestPair, PrefixAndSuffixChangeAlike) {
  const auto changed = [](const char* source, const char* target, const char* query) {
    return changed_alike(symbols(source), symbols(target), symbols(query));
  };
  EXPECT_EQ(changed("kaufen", "gekauft", "schenken"), symbols("geschenkt"));
  EXPECT_EQ(changed("kaufen", "gekauft", "wandern"), std::nullopt) << "ends otherwise";
  EXPECT_EQ(changed("Haus", "Hauses", "Klaus"), symbols("Klauses"));
  EXPECT_EQ(changed("einkaufen", "kaufen ein", "einsehen"), symbols("sehen ein"));
  EXPECT_EQ(changed("einkaufen", "kaufen ein", "absehen"), std::nullopt) << "begins otherwise";
  EXPECT_EQ(changed("ab", "cd", "ab"), symbols("cd"));
  EXPECT_EQ(changed("ab", "cd", "abb"), std::nullopt) << "nothing in common";
  EXPECT_EQ(changed("kaufen", "gekauft", "n"), std::nullopt) << "shorter than prefix and suffix";
}

}  // namespace
}  // namespace lookback
