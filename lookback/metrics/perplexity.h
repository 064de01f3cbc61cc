// Perplexity and its relatives, from a summed negative log-likelihood in nats.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"

namespace lookback::metrics {

// Adds up -log p over tokens, so that batches and files can be scored piece by piece.
struct LikelihoodSum {
  double nats = 0;
  int64_t tokens = 0;

  void add(double negative_log_likelihood, int64_t count) {
    check<ShapeError>(count >= 0, "perplexity: ", count, " tokens");
    check<NumericError>(!std::isnan(negative_log_likelihood),
                        "perplexity: the negative log-likelihood is not a number");
    nats += negative_log_likelihood, tokens += count;
  }
};

// exp(nats / tokens); infinite when a token had probability 0. Throws ShapeError for no tokens.
inline double perplexity(const LikelihoodSum& sum) {
  check<ShapeError>(sum.tokens > 0, "perplexity: there are no tokens");
  return elementary::exp(sum.nats / static_cast<double>(sum.tokens));
}

// nats / (ln 2 * units); units are characters or bytes of the text. Throws ShapeError unless units > 0.
inline double bits_per(const LikelihoodSum& sum, int64_t units) {
  check<ShapeError>(units > 0, "bits per unit: there are ", units, " units");
  return sum.nats / (std::numbers::ln2 * static_cast<double>(units));
}

}  // namespace lookback::metrics
