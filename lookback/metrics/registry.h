// Every text metric by name, for command lines and recipes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/metrics/accuracy.h"
#include "lookback/metrics/answer.h"
#include "lookback/metrics/bleu.h"
#include "lookback/metrics/caption_words.h"
#include "lookback/metrics/chrf.h"
#include "lookback/metrics/corpus_metric.h"
#include "lookback/metrics/edit_distance.h"
#include "lookback/metrics/label_metrics.h"
#include "lookback/metrics/rouge.h"
#include "lookback/metrics/ter.h"
#include "lookback/metrics/transduction.h"

namespace lookback::metrics {

struct MetricOptions {
  BleuOptions bleu;
  ChrfOptions chrf;
  TerOptions ter;
  ErrorRateOptions wer, cer;
  AccuracyOptions accuracy;
  SymbolOptions symbol;  // of word_error_rate and symbol_error_rate
  RougeOptions rouge;
  CaptionOptions caption;  // of bleu1 to bleu4, rouge_l and cider_d
  LabelLines label;        // of macro_f1, micro_f1 and mcc; its labels are what learn_lines found

  void fields(FieldVisitor& v);
};

// "bleu", "chrf", "chrf++", "ter", "wer", "cer", "accuracy", "word_error_rate", "symbol_error_rate", "rouge1",
// "rouge2", "rougel", "rougelsum", "exact_match", "f1", "macro_f1", "micro_f1", "mcc", "span_f1", "span_precision",
// "span_recall", "tag_accuracy", "tag_macro_f1", "capital_f1", "mark_f1", "bleu1", "bleu2", "bleu3", "bleu4",
// "rouge_l", "cider_d".
std::vector<std::string> metric_names();

// "chrf++" is chrf with word_order 2, whatever options.chrf.word_order says.
// Throws ConfigError for an unknown name, with the nearest match, or for options out of range.
std::unique_ptr<CorpusMetric> make_metric(std::string_view name, const MetricOptions& options = {});

// What a metric has to know of the lines before it scores any: metrics over labels, which labels there are. To be
// called for the references and for every system's hypotheses; does nothing for other metrics.
void learn_lines(std::string_view name, const Lines& lines, MetricOptions& options);

}  // namespace lookback::metrics
