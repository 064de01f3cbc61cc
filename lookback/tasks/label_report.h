// Private to tasks: how well labels, and their probabilities, are those of examples.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lookback/data/labels.h"
#include "lookback/metrics/registry.h"
#include "lookback/models/token_evidence.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {

// The options with which text metrics read the outputs of such a task.
metrics::MetricOptions metric_options(const data::LabelOptions& labels);

// N examples, K labels.
struct LabelledOutputs {
  const data::Labels& labels;
  std::vector<std::vector<int32_t>> gold;       // [N] of each its labels; -1 is one that training has not
  std::vector<std::vector<int32_t>> predicted;  // [N]
  std::vector<double> probabilities;            // [N, K]
};

// Labels with their probabilities [K], from the most probable on, equals in their own order.
std::vector<std::pair<std::string, double>> ranked(const data::Labels& labels, std::span<const double> probabilities);

// sum += x / n, from zeros on; nothing for an empty x.
void add_part(Tensor& sum, const Tensor& x, size_t n);

// What a cell of the data says, as LabelledOutputs has it.
std::vector<int32_t> gold_of(const data::Labels& labels, std::string_view cell);

// "auc" and "ece", both in percent, over the examples whose labels training has: the area under the ROC curve, of more
// than two labels the mean over each against the rest, and the expected calibration error (metrics/classification.h);
// of several labels, each is a question of its own. No line where it is not defined: for examples of one label alone.
std::vector<EvaluationLine> probability_scores(const LabelledOutputs& outputs, int64_t resamples);

// Precision, recall and F1 of each label and, where an example has one, the confusion matrix below them.
std::string text_by_label(const LabelledOutputs& outputs);

// That matrix as a figure. Throws ConfigError where examples have several labels.
viz::Figure confusion_figure(const LabelledOutputs& outputs);

// The temperature (Guo et al. 2017) under which held-out examples are likeliest: logits [N, K]. 1 for no examples.
double fitted_temperature(const data::Labels& labels, const std::vector<std::vector<int32_t>>& gold,
                          std::span<const double> logits);
// The same together with the share of evidence [N, K] that stands beside the logits.
Blend fitted_blend(const data::Labels& labels, const std::vector<std::vector<int32_t>>& gold,
                   std::span<const double> logits, std::span<const double> evidence);

}  // namespace lookback::tasks
