// chrF (Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation") and chrF++ (Popović 2017, "chrF++:
// words helping character n-grams"), as sacreBLEU computes them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

struct ChrfOptions {
  int64_t char_order = 6;
  int64_t word_order = 0;  // 2 is chrF++
  int64_t beta = 2;        // recall counts beta times as much as precision
  bool lowercase = false;
  bool whitespace = false;
  bool eps_smoothing = false;

  void fields(FieldVisitor& v);
};

// chrF = 100 (1 + b^2) P R / (b^2 P + R), P and R the mean precision and recall over the character n-gram orders (and
// word n-gram orders) that both sides have; of several references each segment takes the one with the best score.
// eps_smoothing averages F over all orders instead, like chrF++.py, NLTK and Moses.
// Stats: [hypothesis n-grams, reference n-grams, matches] x (char_order + word_order).
// Throws ConfigError for options out of range.
std::unique_ptr<CorpusMetric> make_chrf(const ChrfOptions& options = {});

// references[r][line]. Throws FormatError as segment_stats does.
Score corpus_chrf(const Lines& hypotheses, const References& references, const ChrfOptions& options = {});
Score sentence_chrf(const std::string& hypothesis, const Lines& references, const ChrfOptions& options = {});

}  // namespace lookback::metrics
