#include "lookback/models/bm25.h"

#include <gtest/gtest.h>

#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"

namespace lookback {
namespace {

using Words = std::vector<std::string>;

const std::vector<Words> kDocuments = {{"the", "cat", "sat", "on", "the", "mat"},
                                       {"a", "dog", "sat"},
                                       {"the", "dog", "and", "the", "cat", "and", "the", "dog"},
                                       {},
                                       {"birds", "sing"}};

void expect_scores(const Bm25& index, const Words& query, const std::vector<double>& want) {
  const auto found = index.scores(query);
  ASSERT_EQ(found.size(), want.size());
  for (size_t k = 0; k < want.size(); ++k) EXPECT_NEAR(found[k], want[k], 1e-14) << k;
}

// From the formula, in a few lines of Python.
TEST(Bm25, ScoresAreThoseOfTheFormula) {
  const Bm25 index(kDocuments);
  expect_scores(index, {"the", "cat"}, {0.792287962128635, 0, 0.779624543702486, 0, 0});
  expect_scores(index, {"dog", "sat", "dog"}, {0.321738994385379, 1.306327697098751, 0.8348258976022133, 0, 0});
  expect_scores(index, {"sing", "the", "unknown"}, {0.4705489677432559, 0, 0.5055898483198814, 0, 0.7815902926195228});
  expect_scores(Bm25(kDocuments, {.k1 = 2, .b = 0}), {"the", "the", "dog"},
                {0.8754687373538999, 0.29182291245129993, 1.4882968535016297, 0, 0});
  EXPECT_EQ(index.best({"the", "cat"}), 0U);
  EXPECT_EQ(index.best({"dog", "sat", "dog"}), 1U);
  EXPECT_EQ(index.best({"the", "dog"}), 2U);
}

TEST(Bm25, OfEqualsTheFirst) {
  const Bm25 index({{"x"}, {"a", "b"}, {"b", "a"}, {"a", "b"}});
  EXPECT_EQ(index.best({"b", "a"}), 1U);
  EXPECT_EQ(index.best({"unknown"}), 0U);
  EXPECT_EQ(index.best({}), 0U);
  EXPECT_EQ(Bm25(std::vector<Words>()).best({"a"}), std::nullopt);
  EXPECT_EQ(Bm25(std::vector<Words>(2)).best({"a"}), 0U);
}

TEST(Bm25, OptionsThatCannotBe) {
  EXPECT_THROW(Bm25(kDocuments, {.k1 = -1}), ConfigError);
  EXPECT_THROW(Bm25(kDocuments, {.b = 1.1}), ConfigError);
  EXPECT_THROW(Bm25(kDocuments, {.b = std::numeric_limits<double>::quiet_NaN()}), ConfigError);
}

// A document finds itself among many, as no shorter one has all of its words.
TEST(Bm25, DocumentsFindThemselves) {
  Rng rng(1);
  std::vector<Words> all(2000);
  for (size_t k = 0; k < all.size(); ++k)
    for (int n = 0; n < 12; ++n) all[k].push_back(std::to_string(rng.below(3000)));
  const Bm25 index(all);
  for (size_t k = 0; k < all.size(); k += 7) EXPECT_EQ(index.best(all[k]), k);
}

}  // namespace
}  // namespace lookback
