#include "lookback/metrics/perplexity.h"

#include "lookback/metrics/unicode.h"

namespace lookback::metrics {

void TextSize::add(std::string_view line) {
  const std::u32string text = decode_utf8(line);
  lines += 1, words += std::ssize(split(text)), characters += std::ssize(text);
}

double word_perplexity(const LikelihoodSum& sum, const TextSize& text) {
  check<ShapeError>(text.lines > 0, "perplexity by word: there are no lines");
  return elementary::exp(sum.nats / static_cast<double>(text.words + text.lines));
}

double bits_per_character(const LikelihoodSum& sum, const TextSize& text) {
  check<ShapeError>(text.lines > 0, "bits per character: there are no lines");
  return bits_per(sum, text.characters + text.lines);
}

}  // namespace lookback::metrics
