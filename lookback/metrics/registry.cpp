#include "lookback/metrics/registry.h"

#include "lookback/base/error.h"

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
};
constexpr MetricEntry kMetrics[] = {
    {"bleu", [](const MetricOptions& o) { return make_bleu(o.bleu); }},
    {"chrf", [](const MetricOptions& o) { return make_chrf(o.chrf); }},
    {"chrf++", &make_chrf_plus_plus},
    {"ter", [](const MetricOptions& o) { return make_ter(o.ter); }},
    {"wer", [](const MetricOptions& o) { return make_wer(o.wer); }},
    {"cer", [](const MetricOptions& o) { return make_cer(o.cer); }},
    {"accuracy", [](const MetricOptions& o) { return make_accuracy(o.accuracy); }},
};

}  // namespace

void MetricOptions::fields(FieldVisitor& v) {
  v("bleu", bleu);
  v("chrf", chrf);
  v("ter", ter);
  v("wer", wer);
  v("cer", cer);
  v("accuracy", accuracy);
}

std::vector<std::string> metric_names() {
  std::vector<std::string> out;
  for (const MetricEntry& m : kMetrics) out.emplace_back(m.name);
  return out;
}

std::unique_ptr<CorpusMetric> make_metric(std::string_view name, const MetricOptions& options) {
  for (const MetricEntry& m : kMetrics)
    if (name == m.name) return m.make(options);
  throw ConfigError(str_cat("unknown metric '", name, "'", nearest_match(name, metric_names())));
}

}  // namespace lookback::metrics
