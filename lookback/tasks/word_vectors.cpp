#include "lookback/tasks/word_vectors.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/error.h"
#include "lookback/base/fields.h"
#include "lookback/base/format_number.h"
#include "lookback/base/parallel.h"

namespace lookback::tasks {
namespace {

constexpr size_t kMostSpellings = 100'000;

double dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

}  // namespace

data::WordCorpus read_text(const std::vector<std::string>& paths, const data::CorpusOptions& options,
                           const LogSink& log) {
  data::WordCorpus text = data::read_word_corpus(paths, options);
  log(Severity::info, str_cat(grouped(text.tokens_in_text), " words, ", grouped(text.distinct_words),
                              " different ones; ", grouped(std::ssize(text.words)), " are there ", options.min_count,
                              options.min_count == 1 ? " time" : " times", " or more, in ",
                              grouped(std::ssize(text.tokens)), " places"));
  if (text.unreadable)
    log(Severity::warning, str_cat(grouped(text.unreadable), " words are not UTF-8 or too long, and were passed over"));
  return text;
}

std::vector<Neighbour> nearest_words(const data::AllWordVectors& vectors, const std::string& word, int64_t count) {
  const auto found = std::ranges::find(vectors.words, word);
  if (found == vectors.words.end()) {
    const std::vector<std::string> known(vectors.words.begin(),
                                         vectors.words.begin() + std::min(kMostSpellings, vectors.words.size()));
    throw ConfigError(str_cat("no vector for '", word, "'", nearest_match(word, known)));
  }
  const int64_t V = vectors.rows.dim(0), D = vectors.width, own = found - vectors.words.begin();
  const float* const rows = vectors.rows.data<float>();
  std::vector<double> cosines(static_cast<size_t>(V));
  const double length = std::sqrt(dot(rows + own * D, rows + own * D, D));
  parallel_for(V, 256, [&](int64_t begin, int64_t end) {
    for (int64_t w = begin; w < end; ++w) {
      const double lengths = length * std::sqrt(dot(rows + w * D, rows + w * D, D));
      cosines[static_cast<size_t>(w)] = lengths > 0 ? dot(rows + own * D, rows + w * D, D) / lengths : -2;
    }
  });
  std::vector<int64_t> order(static_cast<size_t>(V));
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](int64_t w) { return w == own || cosines[static_cast<size_t>(w)] < -1.5; });
  const auto some = order.begin() + std::min<int64_t>(count, std::ssize(order));
  std::partial_sort(order.begin(), some, order.end(), [&](int64_t a, int64_t b) {
    return std::pair(-cosines[static_cast<size_t>(a)], a) < std::pair(-cosines[static_cast<size_t>(b)], b);
  });
  std::vector<Neighbour> out;
  for (auto at = order.begin(); at != some; ++at)
    out.push_back({vectors.words[static_cast<size_t>(*at)], cosines[static_cast<size_t>(*at)]});
  return out;
}

}  // namespace lookback::tasks
