// Scores of labels, one a line: those of classification.h as text metrics.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

using LabelSet = std::set<std::string>;

// Adds what stands on each line, without white space at its ends. Lines that are not UTF-8, which no metric takes, are
// passed over.
void collect_labels(const Lines& lines, LabelSet& labels);

// Macro and micro F1 in percent, Matthews' correlation coefficient as it is, in [-1, 1]. `labels` are all that will be
// seen, in references and in the hypotheses of every system; others are a FormatError. Which of them counts depends on
// what is scored alone: macro F1 is the mean over those that are somewhere gold or predicted there. Of several
// references each segment takes the one that its hypothesis equals, else the first.
// Stats: [correct, gold, predicted] x labels. Throws FormatError for more than 1,000 labels.
std::unique_ptr<CorpusMetric> make_macro_f1(const LabelSet& labels);
std::unique_ptr<CorpusMetric> make_micro_f1(const LabelSet& labels);
std::unique_ptr<CorpusMetric> make_mcc(const LabelSet& labels);

}  // namespace lookback::metrics
