// Scores of labels, one a line or several: those of classification.h as text metrics.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

using LabelSet = std::set<std::string>;

// What lines hold: one label or, with a separator, any number of labels with separators between.
struct LabelLines {
  std::string separator;

  void fields(FieldVisitor& v);
  LabelSet labels = {};  // all that will be seen, in references and in the hypotheses of every system
};

// Adds what stands on each line to lines.labels, without white space at its ends. Lines that are not UTF-8, which no
// metric takes, are passed over.
void collect_labels(const Lines& lines, LabelLines& options);

// Macro and micro F1 in percent, Matthews' correlation coefficient as it is, in [-1, 1]: for one label a line. Labels
// that were not collected are a FormatError, a coefficient of several labels a line a ConfigError. Which of them counts
// depends on what is scored alone: macro F1 is the mean over those that are somewhere gold or predicted there. Of
// several references each segment takes the one that its hypothesis equals, else the first. Stats: [correct, gold,
// predicted] x labels. Throws FormatError for more than 1,000 labels.
std::unique_ptr<CorpusMetric> make_macro_f1(const LabelLines& options);
std::unique_ptr<CorpusMetric> make_micro_f1(const LabelLines& options);
std::unique_ptr<CorpusMetric> make_mcc(const LabelLines& options);

}  // namespace lookback::metrics
