#include "lookback/metrics/registry.h"

#include "lookback/base/error.h"
#include "lookback/metrics/caption_scores.h"
#include "lookback/metrics/cider.h"
#include "lookback/metrics/tags.h"

namespace lookback::metrics {
namespace {

std::unique_ptr<CorpusMetric> make_chrf_plus_plus(const MetricOptions& o) {
  ChrfOptions options = o.chrf;
  options.word_order = 2;
  return make_chrf(options);
}

struct MetricEntry {
  const char* name;
  std::unique_ptr<CorpusMetric> (*make)(const MetricOptions&);
  bool over_labels = false;
  bool over_tags = false;  // labels that stand on a line with blanks between
};
constexpr MetricEntry kMetrics[] = {
    {"bleu", [](const MetricOptions& o) { return make_bleu(o.bleu); }},
    {"chrf", [](const MetricOptions& o) { return make_chrf(o.chrf); }},
    {"chrf++", &make_chrf_plus_plus},
    {"ter", [](const MetricOptions& o) { return make_ter(o.ter); }},
    {"wer", [](const MetricOptions& o) { return make_wer(o.wer); }},
    {"cer", [](const MetricOptions& o) { return make_cer(o.cer); }},
    {"accuracy", [](const MetricOptions& o) { return make_accuracy(o.accuracy); }},
    {"word_error_rate", [](const MetricOptions& o) { return make_word_error_rate(o.symbol); }},
    {"symbol_error_rate", [](const MetricOptions& o) { return make_symbol_error_rate(o.symbol); }},
    {"rouge1", [](const MetricOptions& o) { return make_rouge_n(1, o.rouge); }},
    {"rouge2", [](const MetricOptions& o) { return make_rouge_n(2, o.rouge); }},
    {"rougel", [](const MetricOptions& o) { return make_rouge_l(o.rouge); }},
    {"rougelsum", [](const MetricOptions& o) { return make_rouge_lsum(o.rouge); }},
    {"exact_match", [](const MetricOptions&) { return make_exact_match(); }},
    {"f1", [](const MetricOptions&) { return make_answer_f1(); }},
    {"macro_f1", [](const MetricOptions& o) { return make_macro_f1(o.label); }, true},
    {"micro_f1", [](const MetricOptions& o) { return make_micro_f1(o.label); }, true},
    {"mcc", [](const MetricOptions& o) { return make_mcc(o.label); }, true},
    {"span_f1", [](const MetricOptions&) { return make_span_f1(); }},
    {"span_precision", [](const MetricOptions&) { return make_span_precision(); }},
    {"span_recall", [](const MetricOptions&) { return make_span_recall(); }},
    {"tag_accuracy", [](const MetricOptions&) { return make_tag_accuracy(); }},
    {"tag_macro_f1", [](const MetricOptions& o) { return make_tag_macro_f1(o.label); }, false, true},
    {"capital_f1", [](const MetricOptions&) { return make_capital_f1(); }},
    {"mark_f1", [](const MetricOptions&) { return make_mark_f1(); }},
    {"bleu1", [](const MetricOptions& o) { return make_caption_bleu(1, o.caption); }},
    {"bleu2", [](const MetricOptions& o) { return make_caption_bleu(2, o.caption); }},
    {"bleu3", [](const MetricOptions& o) { return make_caption_bleu(3, o.caption); }},
    {"bleu4", [](const MetricOptions& o) { return make_caption_bleu(4, o.caption); }},
    {"rouge_l", [](const MetricOptions& o) { return make_caption_rouge_l(o.caption); }},
    {"cider_d", [](const MetricOptions& o) { return make_cider_d(o.caption); }},
};

const MetricEntry& entry_of(std::string_view name) {
  for (const MetricEntry& m : kMetrics)
    if (name == m.name) return m;
  throw ConfigError(str_cat("unknown metric '", name, "'", nearest_match(name, metric_names())));
}

}  // namespace

void MetricOptions::fields(FieldVisitor& v) {
  v("bleu", bleu);
  v("chrf", chrf);
  v("ter", ter);
  v("wer", wer);
  v("cer", cer);
  v("accuracy", accuracy);
  v("symbol", symbol);
  v("rouge", rouge);
  v("caption", caption);
  v("label", label);
}

std::vector<std::string> metric_names() {
  std::vector<std::string> out;
  for (const MetricEntry& m : kMetrics) out.emplace_back(m.name);
  return out;
}

std::unique_ptr<CorpusMetric> make_metric(std::string_view name, const MetricOptions& options) {
  return entry_of(name).make(options);
}

void learn_lines(std::string_view name, const Lines& lines, MetricOptions& options) {
  const MetricEntry& entry = entry_of(name);
  if (entry.over_labels) collect_labels(lines, options.label);
  if (!entry.over_tags) return;
  for (const std::string& line : lines) try {
      for (std::string& tag : tags_of_line(line)) options.label.labels.insert(std::move(tag));
    } catch (const FormatError&) {  // named with its line when it is to be scored
      continue;
    }
}

}  // namespace lookback::metrics
