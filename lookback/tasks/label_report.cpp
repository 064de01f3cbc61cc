#include "lookback/tasks/label_report.h"

#include <algorithm>
#include <functional>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/metrics/classification.h"
#include "lookback/metrics/significance.h"

namespace lookback::tasks {
namespace {

// Examples of one class each, and numbers for each of their classes: of several labels each is an example of two
// classes, whether it is there.
struct Classes {
  std::vector<int64_t> gold;
  std::vector<double> numbers;  // [N, classes]
};

using TwoNumbers = std::pair<double, double> (*)(double);

// `both`: of what was said for a label, the numbers of its absence and of its presence.
Classes classes_of(const data::Labels& labels, const std::vector<std::vector<int32_t>>& gold,
                   std::span<const double> numbers, TwoNumbers both) {
  const auto K = static_cast<size_t>(labels.count());
  Classes out;
  for (size_t n = 0; n < gold.size(); ++n) {
    if (std::ranges::find(gold[n], -1) != gold[n].end()) continue;
    const auto row = numbers.subspan(n * K, K);
    if (!labels.options().several) {
      out.gold.push_back(gold[n][0]);
      out.numbers.insert(out.numbers.end(), row.begin(), row.end());
      continue;
    }
    for (size_t k = 0; k < K; ++k) {
      out.gold.push_back(std::ranges::find(gold[n], static_cast<int32_t>(k)) != gold[n].end());
      const auto [absent, present] = both(row[k]);
      out.numbers.push_back(absent), out.numbers.push_back(present);
    }
  }
  return out;
}

// The mean, over labels that some examples have and some have not, of the area under the curve of each.
std::optional<double> auc_of(const LabelledOutputs& o) {
  double sum = 0, seen = 0;
  const int64_t K = o.labels.count();
  // Of two labels one says all.
  for (int64_t k = K == 2 && !o.labels.options().several ? 1 : 0; k < K; ++k) {
    std::vector<int64_t> has;
    std::vector<double> scores;
    for (size_t n = 0; n < o.gold.size(); ++n) {
      if (std::ranges::find(o.gold[n], -1) != o.gold[n].end()) continue;
      has.push_back(std::ranges::find(o.gold[n], k) != o.gold[n].end());
      scores.push_back(o.probabilities[n * static_cast<size_t>(K) + static_cast<size_t>(k)]);
    }
    const auto ones = std::ranges::count(has, 1);
    if (ones == 0 || ones == std::ssize(has)) continue;
    sum += metrics::roc_auc(has, scores), seen += 1;
  }
  return seen > 0 ? std::optional(100 * sum / seen) : std::nullopt;
}

std::optional<double> ece_of(const LabelledOutputs& o) {
  const Classes c = classes_of(o.labels, o.gold, o.probabilities, [](double p) { return std::pair(1 - p, p); });
  if (c.gold.empty()) return std::nullopt;
  return 100 * metrics::calibration_error(c.gold, c.numbers);
}

LabelledOutputs drawn_from(const LabelledOutputs& all, std::span<const int64_t> examples) {
  const auto K = static_cast<size_t>(all.labels.count());
  LabelledOutputs out{all.labels, {}, {}, {}};
  for (const int64_t k : examples) {
    const auto n = static_cast<size_t>(k);
    out.gold.push_back(all.gold[n]);
    for (size_t i = 0; i < K; ++i) out.probabilities.push_back(all.probabilities[n * K + i]);
  }
  return out;
}

// Names of labels and, if an example has one that training has not, of that.
StringList names_with_others(const LabelledOutputs& o) {
  StringList out = o.labels.names();
  if (std::ranges::any_of(o.gold, [](const auto& g) { return std::ranges::find(g, -1) != g.end(); }))
    out.emplace_back("(unseen)");
  return out;
}

metrics::ConfusionMatrix matrix_of(const LabelledOutputs& o) {
  std::vector<int64_t> gold, predicted;
  for (size_t n = 0; n < o.gold.size(); ++n) {
    gold.push_back(o.gold[n][0] < 0 ? o.labels.count() : o.gold[n][0]);
    predicted.push_back(o.predicted[n][0]);
  }
  return metrics::confusion_matrix(gold, predicted, std::ssize(names_with_others(o)));
}

std::vector<metrics::ClassCounts> counts_of(const LabelledOutputs& o) {
  if (!o.labels.options().several) return matrix_of(o).by_class();
  std::vector<metrics::ClassCounts> out(names_with_others(o).size());
  const auto of = [&](int32_t k) -> metrics::ClassCounts& { return k < 0 ? out.back() : out[static_cast<size_t>(k)]; };
  for (size_t n = 0; n < o.gold.size(); ++n) {
    for (const int32_t k : o.gold[n]) ++of(k).gold;
    for (const int32_t k : o.predicted[n]) {
      ++of(k).predicted;
      of(k).correct += std::ranges::find(o.gold[n], k) != o.gold[n].end();
    }
  }
  return out;
}

}  // namespace

metrics::MetricOptions metric_options(const data::LabelOptions& labels) {
  metrics::MetricOptions out;
  if (labels.several) out.label.separator = labels.separator;
  return out;
}

std::vector<std::pair<std::string, double>> ranked(const data::Labels& labels, std::span<const double> probabilities) {
  std::vector<std::pair<std::string, double>> out;
  for (size_t k = 0; k < probabilities.size(); ++k)
    out.emplace_back(labels.name(static_cast<int32_t>(k)), probabilities[k]);
  std::ranges::stable_sort(out, std::greater(), [](const auto& label) { return label.second; });
  return out;
}

void add_part(Tensor& sum, const Tensor& x, size_t n) {
  if (x.empty()) return;
  if (sum.empty()) sum = Tensor::zeros(x.shape());
  for (int64_t i = 0; i < x.size(); ++i) sum.data<float>()[i] += x.data<float>()[i] / static_cast<float>(n);
}

std::vector<int32_t> gold_of(const data::Labels& labels, std::string_view cell) {
  std::vector<int32_t> out = labels.encode(cell);
  if (out.empty()) return {-1};
  if (labels.options().several) out.pop_back();
  return out;
}

std::vector<EvaluationLine> probability_scores(const LabelledOutputs& outputs, int64_t resamples) {
  std::vector<EvaluationLine> out;
  const auto known =
      std::ranges::count_if(outputs.gold, [](const auto& gold) { return std::ranges::find(gold, -1) == gold.end(); });
  const std::string version = str_cat("examples:", known, "|version:", metrics::kVersion);
  const auto add = [&](const char* name, std::string signature,
                       std::optional<double> (*score)(const LabelledOutputs&)) {
    const auto value = score(outputs);
    if (!value) return;
    EvaluationLine line{name, *value, std::move(signature) + version};
    if (resamples > 0)
      line.interval = metrics::bootstrap_interval(
          std::ssize(outputs.gold),
          [&](std::span<const int64_t> examples) { return score(drawn_from(outputs, examples)).value_or(*value); },
          {.samples = resamples});
    out.push_back(std::move(line));
  };
  add("auc", outputs.labels.count() == 2 && !outputs.labels.options().several ? "" : "average:macro|", auc_of);
  add("ece", "bins:15|", ece_of);
  return out;
}

std::string text_by_label(const LabelledOutputs& outputs) {
  const StringList names = names_with_others(outputs);
  const auto counts = counts_of(outputs);
  std::vector<StringList> rows{{"label", "precision", "recall", "f1", "examples"}};
  for (size_t k = 0; k < names.size(); ++k)
    rows.push_back({names[k], fixed(100 * counts[k].precision(), 1), fixed(100 * counts[k].recall(), 1),
                    fixed(100 * counts[k].f1(), 1), std::to_string(counts[k].gold)});
  const std::string table = metrics::aligned_columns(rows);
  return outputs.labels.options().several ? table : table + "\n" + metrics::confusion_text(matrix_of(outputs), names);
}

viz::Figure confusion_figure(const LabelledOutputs& outputs) {
  check<ConfigError>(!outputs.labels.options().several,
                     "a picture of the confusion matrix needs one label for each example; this model gives several");
  return viz::confusion_map(matrix_of(outputs).counts, names_with_others(outputs),
                            str_cat("Confusion of ", outputs.gold.size(), " examples"));
}

double fitted_temperature(const data::Labels& labels, const std::vector<std::vector<int32_t>>& gold,
                          std::span<const double> logits) {
  const Classes c = classes_of(labels, gold, logits, [](double z) { return std::pair(0.0, z); });
  return c.gold.empty() ? 1 : metrics::fit_temperature(c.gold, c.numbers);
}

Blend fitted_blend(const data::Labels& labels, const std::vector<std::vector<int32_t>>& gold,
                   std::span<const double> logits, std::span<const double> evidence) {
  const auto of = [&](std::span<const double> numbers) {
    return classes_of(labels, gold, numbers, [](double z) { return std::pair(0.0, z); });
  };
  const Classes c = of(logits);
  return lookback::fitted_blend(c.gold, c.numbers, of(evidence).numbers);
}

}  // namespace lookback::tasks
