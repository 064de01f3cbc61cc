// Exact match, for labels and for whole lines.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

struct AccuracyOptions {
  bool lowercase = false;

  void fields(FieldVisitor& v);
};

// Percent of lines equal to one of their references, apart from white space at the ends. Stats: [matches, lines].
std::unique_ptr<CorpusMetric> make_accuracy(const AccuracyOptions& options = {});
Score corpus_accuracy(const Lines& hypotheses, const References& references, const AccuracyOptions& options = {});

// Percent of equal class numbers. Throws ShapeError when the lengths differ or are 0.
double label_accuracy(std::span<const int64_t> predicted, std::span<const int64_t> expected);

}  // namespace lookback::metrics
