// BLEU (Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation"), as sacreBLEU
// computes it (Post 2018, "A call for clarity in reporting BLEU scores").
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

struct BleuOptions {
  std::string tokenize = "13a";  // see tokenize.h
  bool lowercase = false;
  std::string smooth = "exp";
  double smooth_value = -1;  // -1: the method's default (floor 0.1, add-k 1)
  bool effective_order = false;
  int64_t max_order = 4;

  void fields(FieldVisitor& v);
};

// BLEU = BP * exp(sum_n log p_n / N) * 100, p_n clipped n-gram precision over the corpus (a reference n-gram counts as
// often as in the reference where it is most frequent), BP = exp(1 - r/c) if c < r, c the hypothesis length, r the
// reference length closest to it (the shorter one of two). Smoothing of p_n = 0, by Chen and Cherry (2014): "none";
// "floor" puts smooth_value for the matches; "add-k" adds it to matches and totals of n > 1; "exp" halves a pseudo
// count with every such n. effective_order averages only over the orders the hypothesis is long enough for.
// Stats: [c, r, matches x max_order, totals x max_order].
// Throws ConfigError for options out of range.
std::unique_ptr<CorpusMetric> make_bleu(const BleuOptions& options = {});

// references[r][line]. Throws FormatError as segment_stats does.
Score corpus_bleu(const Lines& hypotheses, const References& references, const BleuOptions& options = {});
// For one sentence, where effective_order is advisable.
Score sentence_bleu(const std::string& hypothesis, const Lines& references, const BleuOptions& options = {});

}  // namespace lookback::metrics
