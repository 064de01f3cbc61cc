// Private to tasks: examples whose outputs are known, and how well outputs match them.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lookback/data/table.h"
#include "lookback/data/tokenizer.h"
#include "lookback/decode/hypothesis.h"
#include "lookback/io/json.h"
#include "lookback/metrics/registry.h"
#include "lookback/tasks/data_options.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {

// Inputs, and the output that each should have. The columns of a table are the fields of an input and, last, that
// output.
struct Examples {
  std::vector<Input> inputs;
  metrics::Lines references;
  int64_t passed_over = 0;  // dialogues that are left out because training has them
};

// The first `count` rows of a table that keeps its text.
Examples examples_of(const data::Table& table, int64_t count, const StringList& columns);

// The rows of these files or, without any, those of data.test. Throws ConfigError where there are none either.
data::RowSource rows_to_evaluate(const StringList& files, const StringList& columns, const DataOptions& data,
                                 const std::string& root);

// Every line, also empty ones; one that is no row is a FormatError.
Examples read_examples(const data::RowSource& rows, const StringList& columns, const data::TableOptions& options);

// What a [valid] scores outputs by: its metric, if it has one.
std::vector<train::ScoreKind> scores_of(const ValidGroup& valid);

// {"tokens", "token_log_probs", "alignment"} of an output.
io::JsonObject details_of(const data::Tokenizer& tokenizer, const decode::Hypothesis& h);

metrics::Lines texts_of(const std::vector<Prediction>& predictions);

// A line for each metric; with resamples also its interval. `options`: those of the metrics.
std::vector<EvaluationLine> scored(const StringList& names, const metrics::Lines& hypotheses,
                                   const metrics::Lines& references, int64_t resamples = 0,
                                   metrics::MetricOptions options = {});

// The same where each segment has references of its own.
std::vector<EvaluationLine> scored(const StringList& names, const metrics::Lines& hypotheses,
                                   const metrics::SegmentReferences& references, int64_t resamples = 0,
                                   metrics::MetricOptions options = {});

// Plain methods by name, each from an input to its output, scored on each set.
using Baseline = std::pair<std::string, std::function<std::string(const Input&)>>;
std::vector<BaselineScores> scored_baselines(
    const std::vector<Baseline>& baselines, const std::vector<std::pair<std::string, data::RowSource>>& sets,
    const StringList& columns, const data::TableOptions& options,
    const std::function<std::vector<EvaluationLine>(const metrics::Lines& hypotheses, metrics::Lines references)>&
        score);

}  // namespace lookback::tasks
