// ROUGE (Lin 2004, "ROUGE: a package for automatic evaluation of summaries"), equal to Google's rouge_score 0.1.2.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

struct RougeOptions {
  bool stem = false;              // words of more than 3 characters by their stems, see porter_stemmer.h
  std::string separator = "\\n";  // stands between sentences, as a line break does; by default backslash and n

  void fields(FieldVisitor& v);
};

// Words are runs of a-z and 0-9 of the text in lower case. With matches c of a hypothesis of h against a reference of
// r, precision is c / h, recall c / r, and F1 their harmonic mean, 0 where there is nothing. The score is 100 * F1, the
// mean over segments; of several references each segment takes the one with the best F1 (the first of equals).
//   ROUGE-N     counts n-grams, each matched as often as in the side where it is rarer
//   ROUGE-L     counts words, matched by the longest common subsequence of the whole texts
//   ROUGE-Lsum  counts words; of each sentence of the reference those match that are in its longest common subsequence
//               with any sentence of the hypothesis, a word at most as often as it is in either text
// Stats: [F1, precision, recall, segments].
// Throw ConfigError for n outside 1 to 9 and for a separator that is not UTF-8.
std::unique_ptr<CorpusMetric> make_rouge_n(int64_t n, const RougeOptions& options = {});
std::unique_ptr<CorpusMetric> make_rouge_l(const RougeOptions& options = {});
std::unique_ptr<CorpusMetric> make_rouge_lsum(const RougeOptions& options = {});

}  // namespace lookback::metrics
