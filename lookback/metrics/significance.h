// How far a score can be trusted: bootstrap confidence intervals and paired tests between systems, on the stats of any
// CorpusMetric, by the definitions of sacreBLEU. Resamples come from NumpyRandom, so they are those sacreBLEU draws
// with the same seed (which adds them up in single precision; here it is double).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

struct BootstrapOptions {
  int64_t samples = 1000;
  int64_t seed = 12345;

  void fields(FieldVisitor& v);
};

// Of n sorted scores, lower is number n/40 and upper number n - n/40 - 1: the central 95 %. ci = (upper - lower) / 2.
struct Interval {
  double mean = 0, ci = 0, lower = 0, upper = 0;
};

// Scores of resamples of the segments with replacement (Efron 1979; Koehn 2004, "Statistical significance tests for
// machine translation evaluation"). Throws FormatError when there are no segments.
std::vector<double> bootstrap_scores(const CorpusMetric& metric, const std::vector<Stats>& segments,
                                     const BootstrapOptions& options = {});
Interval bootstrap_interval(const CorpusMetric& metric, const std::vector<Stats>& segments,
                            const BootstrapOptions& options = {});

// The same of any score of `n` examples: score(numbers of the examples of a resample).
Interval bootstrap_interval(int64_t n, const std::function<double(std::span<const int64_t>)>& score,
                            const BootstrapOptions& options = {});

// corpus_score with score.mean and score.ci, "bs:N|seed:S" in the signature and both in the text.
Score corpus_score_with_interval(const CorpusMetric& metric, const Lines& hypotheses, const References& references,
                                 const BootstrapOptions& options = {});

Score corpus_score_with_interval(const CorpusMetric& metric, const Lines& hypotheses,
                                 const SegmentReferences& references, const BootstrapOptions& options = {});

struct System {
  std::string name;
  Lines hypotheses;
};

struct PairedOptions {
  std::string test = "bs";  // "bs" paired bootstrap, "ar" paired approximate randomization
  int64_t samples = 0;      // 0: 1000 for bs, 10000 for ar
  int64_t confidence = 0;   // with ar: resamples for a confidence interval, 0 for none; bs always gives one
  int64_t seed = 12345;

  void fields(FieldVisitor& v);
};

struct PairedResult {
  std::string system;
  double score = 0;
  std::optional<double> p_value;  // absent for the baseline
  std::optional<Interval> interval;
};

struct PairedReport {
  std::string metric;
  std::string signature;              // "nrefs:1|bs:1000|seed:12345|..." or "nrefs:1|ar:10000|seed:12345|..."
  std::vector<PairedResult> results;  // in the order of the systems
};

// Compares every system with the first. The null hypothesis is that the two are equally good, d their difference.
//   bs  p = (1 + #{|d_k| - mean |d_k| > |d|}) / (1 + samples) over resampled segments (Koehn 2004)
//   ar  p = (1 + #{|d_k| > |d|}) / (1 + samples) over random exchanges of segments between the two (Riezler and
//       Maxwell 2005, "On some pitfalls in automatic evaluation and significance testing for MT")
// Where d is exactly 0, p is 1; sacreBLEU's formula would call two equal systems different.
// Throws ConfigError for fewer than two systems or bad options, FormatError as segment_stats does, naming the system.
PairedReport paired_test(const CorpusMetric& metric, const std::vector<System>& systems, const References& references,
                         const PairedOptions& options = {});

}  // namespace lookback::metrics
