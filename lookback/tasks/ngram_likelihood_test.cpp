#include "lookback/tasks/ngram_likelihood.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lookback::tasks {
namespace {

TEST(NgramLikelihood, UnknownWordsAreInOneSumAndNotInTheOther) {
  // One word: counts 2 and 1 of "4" and </s>; the discounts are 0.5, 1, 1.5 and what they free, 1.5 of 3, goes to 4,
  // </s>, <unk> and 5 in equal parts.
  const NgramModel model = NgramModel::fit({{4, 4}}, 6, {.order = 1});
  const double freed = 1.5 / 3 / 4, of_4 = 1.0 / 3 + freed, of_end = 0.5 / 3 + freed;
  const NgramLikelihood text = ngram_likelihood(model, {{4, 5}, {4}});
  EXPECT_EQ(text.all.tokens, 5);
  EXPECT_EQ(text.known.tokens, 4);
  const double known = -2 * std::log(of_4) - 2 * std::log(of_end);
  EXPECT_NEAR(text.known.nats, known, 1e-12);
  EXPECT_NEAR(text.all.nats, known - std::log(freed), 1e-12);
  EXPECT_NEAR(metrics::perplexity(text.all), std::exp((known - std::log(freed)) / 5), 1e-12);
}

}  // namespace
}  // namespace lookback::tasks
