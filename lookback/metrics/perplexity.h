// Perplexity and its relatives, from a summed negative log-likelihood in nats.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

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

// How long a text is, as it stands in its file: whatever a model's tokens are, the numbers below are of the same units,
// and so models with different tokenizers can be set beside each other.
struct TextSize {
  int64_t lines = 0;       // with their ends, which a model predicts too
  int64_t words = 0;       // runs between white space (as Python's str.split())
  int64_t characters = 0;  // code points, white space with them, without line ends

  // A line without its end. Throws FormatError for a line that is not UTF-8.
  void add(std::string_view line);
};

// exp(nats / (words + lines)): perplexity by word, from the likelihood of all tokens of the text, words, subwords,
// characters or bytes, and of its line ends. Throws ShapeError for a text without lines.
double word_perplexity(const LikelihoodSum& sum, const TextSize& text);

// nats / (ln 2 * units); units are characters or bytes of the text. Throws ShapeError unless units > 0.
inline double bits_per(const LikelihoodSum& sum, int64_t units) {
  check<ShapeError>(units > 0, "bits per unit: there are ", units, " units");
  return sum.nats / (std::numbers::ln2 * static_cast<double>(units));
}

// bits_per a character, each line end one more: nats / (ln 2 * (characters + lines)). Throws as word_perplexity().
double bits_per_character(const LikelihoodSum& sum, const TextSize& text);

}  // namespace lookback::metrics
