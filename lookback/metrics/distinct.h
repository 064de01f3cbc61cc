// How varied and how repetitive outputs are, without references. Words are the runs between white space, as they stand.
// Distinct n-grams are those of all lines together, so that this is no sum over segments, no CorpusMetric.
#pragma once

#include <cstdint>

#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

// distinct-n (Li et al. 2016, "A diversity-promoting objective function for neural conversation models"): percent of
// the n-grams of all lines that are different ones; no n-gram spans two lines. 0 where there are no n-grams. It falls
// as text grows: compare only outputs for the same inputs. Throws ConfigError for n < 1, FormatError naming the line
// that is not UTF-8.
double distinct(const Lines& lines, int64_t n);

// Percent of a line's n-grams that occurred in it before, the mean over the lines that have any: seq-rep-n of Welleck
// et al. 2020, "Neural text generation with unlikelihood training". 0 where there are no n-grams. Throws as distinct
// does.
double repeated_ngrams(const Lines& lines, int64_t n);

}  // namespace lookback::metrics
