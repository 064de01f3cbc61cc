#include "lookback/tasks/evaluation.h"

#include "lookback/base/error.h"

namespace lookback::tasks {

Examples examples_of(const data::Table& table, int64_t count, const StringList& columns) {
  Examples out;
  for (int64_t k = 0; k < count; ++k) {
    Input& input = out.inputs.emplace_back(Input{.line = k + 1});
    for (size_t c = 0; c + 1 < columns.size(); ++c) input.fields[columns[c]] = table.text(c, k);
    out.references.emplace_back(table.text(columns.size() - 1, k));
  }
  return out;
}

data::RowSource rows_to_evaluate(const StringList& files, const StringList& columns, const DataOptions& data,
                                 const std::string& root) {
  if (!files.empty()) {
    data::RowSource out = rows_of(files, "evaluate --data", columns, data.table, "");
    data.leave_out_seen(out, columns, root);
    return out;
  }
  check<ConfigError>(data.has_test(), "evaluate: --data FILE... is missing, and the model's recipe names no data.test");
  return data.rows(Split::test, columns, root);
}

Examples read_examples(const data::RowSource& rows, const StringList& columns, const data::TableOptions& options) {
  data::TableOptions strict = options;
  strict.bad_lines = "skip", strict.unequal = "error";
  data::RowReader reader(rows, columns, strict);
  Examples out;
  for (data::RowReader::Row row; reader.next(row);) {
    check<FormatError>(row.problem.empty(), reader.where(row, row.column), ": ", row.problem,
                       "; every line is scored, so mend it or take it out");
    Input& input = out.inputs.emplace_back(Input{.line = std::ssize(out.inputs) + 1});
    for (size_t c = 0; c + 1 < columns.size(); ++c) input.fields[columns[c]] = std::move(row.cells[c]);
    out.references.push_back(std::move(row.cells.back()));
  }
  check<FormatError>(!out.inputs.empty(), rows.parts[0][0], ": no lines");
  out.passed_over = reader.dialogues_passed_over();
  return out;
}

std::vector<train::ScoreKind> scores_of(const ValidGroup& valid) {
  if (valid.metric == "none") return {};
  return {{valid.metric, metrics::make_metric(valid.metric)->higher_is_better()}};
}

io::JsonObject details_of(const data::Tokenizer& tokenizer, const decode::Hypothesis& h) {
  io::JsonObject out;
  out.raw("tokens", io::json_list(tokenizer.pieces(h.tokens), io::json_quote))
      .raw("token_log_probs", io::json_list(h.token_log_probs, [](double x) { return io::json_number(x); }))
      .raw("alignment", io::json_matrix(h.alignment));
  return out;
}

metrics::Lines texts_of(const std::vector<Prediction>& predictions) {
  metrics::Lines out;
  for (const Prediction& p : predictions) out.push_back(p.outputs[0].text);
  return out;
}

std::vector<EvaluationLine> scored(const StringList& names, const metrics::Lines& hypotheses,
                                   const metrics::Lines& references, int64_t resamples,
                                   metrics::MetricOptions options) {
  return scored(names, hypotheses, metrics::by_segment({references}), resamples, std::move(options));
}

std::vector<EvaluationLine> scored(const StringList& names, const metrics::Lines& hypotheses,
                                   const metrics::SegmentReferences& references, int64_t resamples,
                                   metrics::MetricOptions options) {
  std::vector<EvaluationLine> out;
  for (const std::string& name : names) {
    metrics::learn_lines(name, hypotheses, options);
    for (const metrics::Lines& lines : references.lines) metrics::learn_lines(name, lines, options);
    const auto metric = metrics::make_metric(name, options);
    if (resamples == 0) {
      const auto score = metrics::corpus_score(*metric, hypotheses, references);
      out.push_back({name, score.value, score.signature});
      continue;
    }
    const auto score = metrics::corpus_score_with_interval(*metric, hypotheses, references, {.samples = resamples});
    out.push_back({name, score.value, score.signature, metrics::Interval{.mean = score.mean, .ci = score.ci}});
  }
  return out;
}

std::vector<BaselineScores> scored_baselines(
    const std::vector<Baseline>& baselines, const std::vector<std::pair<std::string, data::RowSource>>& sets,
    const StringList& columns, const data::TableOptions& options,
    const std::function<std::vector<EvaluationLine>(const metrics::Lines& hypotheses, metrics::Lines references)>&
        score) {
  std::vector<BaselineScores> out;
  for (const auto& [set, rows] : sets) {
    const Examples examples = read_examples(rows, columns, options);
    for (const auto& [name, answer] : baselines) {
      metrics::Lines hypotheses;
      for (const Input& input : examples.inputs) hypotheses.push_back(answer(input));
      out.push_back({name, set, score(hypotheses, examples.references)});
    }
  }
  return out;
}

}  // namespace lookback::tasks
