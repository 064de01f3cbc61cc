// Every text metric by name, for command lines and recipes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/metrics/accuracy.h"
#include "lookback/metrics/bleu.h"
#include "lookback/metrics/chrf.h"
#include "lookback/metrics/corpus_metric.h"
#include "lookback/metrics/edit_distance.h"
#include "lookback/metrics/ter.h"

namespace lookback::metrics {

struct MetricOptions {
  BleuOptions bleu;
  ChrfOptions chrf;
  TerOptions ter;
  ErrorRateOptions wer, cer;
  AccuracyOptions accuracy;

  void fields(FieldVisitor& v);
};

// "bleu", "chrf", "chrf++", "ter", "wer", "cer", "accuracy".
std::vector<std::string> metric_names();

// "chrf++" is chrf with word_order 2, whatever options.chrf.word_order says.
// Throws ConfigError for an unknown name, with the nearest match, or for options out of range.
std::unique_ptr<CorpusMetric> make_metric(std::string_view name, const MetricOptions& options = {});

}  // namespace lookback::metrics
