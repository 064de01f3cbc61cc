// Private to tasks: the part of a definition that reads its examples as rows of cells, text and labels; see
// task_definition.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "lookback/data/table.h"
#include "lookback/tasks/data_options.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/viz/figure.h"

namespace lookback::tasks {

// The base of a definition T, which besides has
//
//   columns()                names of a table's columns: the fields of an input, and last what its output should be
//   columns_of(recipe), columns_of(network)   the same, where they depend on the recipe
//   columns(network)         the same with what makes ids of their cells
//   learn(recipe, rows, root, log)   a network with fresh parameters, and the tokenizers and labels that training rows
//                            give it; further files that the recipe names start at `root`
//   metrics(network)         what evaluate scores by
//   scores(network, names, hypotheses, references, resamples)   lines for some metrics
//   report(networks, examples, options, resamples)   a task of labels only: all of an EvaluationReport
//   shown_reference(cell)    where a cell of outputs is not what people should see of it
//   baselines(recipe, train, sets, log)
//   validation_options(recipe)
template <class T>
struct OverCells {
  using Data = data::Table;
  using Batch = data::Batch;

  static StringList tables() { return {}; }
  static std::string output_name() { return T::columns().back(); }
  static StringList columns_of(const auto&) { return T::columns(); }

  static void validate_data(const auto& recipe) { recipe.data.validate(T::columns_of(recipe)); }

  static Data open(const auto& recipe, const auto& network, Split split, const std::string& root) {
    return Data(recipe.data.rows(split, T::columns_of(recipe), root), T::columns(network), recipe.data.table,
                split == Split::train ? data::Keep::tokens : data::Keep::tokens_and_text);
  }

  static auto learn_from_files(const auto& recipe, const std::string& root, const LogSink& log) {
    return T::learn(recipe, recipe.data.rows(Split::train, T::columns_of(recipe), root), root, log);
  }

  static void check_test_files(const auto& recipe, const std::string& root) {
    if (recipe.data.has_test()) check_files(recipe.data.rows(Split::test, T::columns_of(recipe), root), "data.test");
  }

  static StringList test_report(const auto& recipe, const std::string& root) {
    if (!recipe.data.has_test()) return {};
    const Examples examples = read_examples(recipe.data.rows(Split::test, T::columns_of(recipe), root),
                                            T::columns_of(recipe), recipe.data.table);
    return {
        str_cat("test data: ", examples.inputs.size(), " examples",
                examples.passed_over ? str_cat("; ", examples.passed_over, " dialogues of training left out") : "")};
  }

  static StringList data_digests(const auto& recipe, const std::string& root) {
    StringList out;
    for (const auto& [name, split] : {std::pair("data.train", Split::train), {"data.valid", Split::valid}})
      out.push_back(str_cat(name, "'s SHA-256 = ",
                            data::rows_sha256(recipe.data.rows(split, T::columns_of(recipe), root),
                                              T::columns_of(recipe), recipe.data.table)));
    return out;
  }

  static StringList free_data_options() {
    return {"data.train", "data.valid", "data.test", "data.memory_mb", "data.max_bad", "valid.batch"};
  }

  static std::vector<BaselineScores> all_baselines(const auto& recipe, const std::string& root, const LogSink& log) {
    const auto rows = [&](Split split) { return recipe.data.rows(split, T::columns_of(recipe), root); };
    std::vector<std::pair<std::string, data::RowSource>> sets{{"data.valid", rows(Split::valid)}};
    if (recipe.data.has_test()) sets.emplace_back("data.test", rows(Split::test));
    return T::baselines(recipe, rows(Split::train), sets, log);
  }

  static std::vector<train::ScoreKind> output_scores(const auto& recipe) { return scores_of(recipe.valid); }

  // Adds the score of outputs for held-out examples, and the first of them as samples.
  static void score_outputs(const auto& network, const auto& recipe, const Data& valid, train::Validation& out) {
    if (recipe.valid.metric == "none") return;
    const Examples examples = examples_of(valid, recipe.valid.scored(valid.size()), T::columns_of(network));
    const auto* const one = &network;
    const auto options = T::validation_options(recipe);
    const auto found = T::predict({&one, 1}, examples.inputs, options, TaskModel::Detail::text_only);
    const metrics::Lines hypotheses = texts_of(found);
    out.scores[recipe.valid.metric] =
        T::scores(network, {recipe.valid.metric}, hypotheses, examples.references, 0)[0].value;
    add_samples(network, recipe, examples, hypotheses, out);
  }

  static void add_samples(const auto& network, const auto& recipe, const Examples& examples,
                          const metrics::Lines& hypotheses, train::Validation& out) {
    const auto* const one = &network;
    const auto count = std::min(std::ssize(hypotheses), recipe.train.options.samples);
    for (size_t k = 0; k < static_cast<size_t>(count); ++k) {
      train::Sample& sample = out.samples.emplace_back();
      for (const std::string& name : T::columns_of(network)) {
        const std::string* const input = examples.inputs[k].find(name);
        sample.texts.emplace_back(name, input ? *input : shown(examples.references[k]));
      }
      sample.texts.emplace_back("output", hypotheses[k]);
      if (viz::can_draw_png() && network.has_attention())
        sample.image_png =
            viz::to_png(T::explain({&one, 1}, examples.inputs[k], T::validation_options(recipe)), {.pixels = 1.0});
    }
  }

  static std::string shown(const std::string& reference) {
    if constexpr (requires { T::shown_reference(reference); })
      return T::shown_reference(reference);
    else
      return reference;
  }

  static EvaluationReport evaluate(auto networks, const io::ModelFolder& folder, const TaskModel::Evaluation& what,
                                   const auto& options) {
    const auto data = read_data_of_run<decltype(T::Recipe::data)>(folder);
    const StringList columns = T::columns_of(*networks[0]);
    const Examples examples =
        read_examples(rows_to_evaluate(what.files, columns, data.data, data.root), columns, data.data.table);
    if constexpr (requires { &T::report; }) {
      return T::report(networks, examples, options, what.resamples);
    } else {
      const auto predictions = T::predict(networks, examples.inputs, options, TaskModel::Detail::text_only);
      return {T::scores(*networks[0], T::metrics(*networks[0]), texts_of(predictions), examples.references,
                        what.resamples)};
    }
  }
};

}  // namespace lookback::tasks
