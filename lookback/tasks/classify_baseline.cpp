// What a sceptic would try first.
#include <algorithm>

#include "lookback/base/utf8.h"
#include "lookback/models/bag_of_words.h"
#include "lookback/tasks/classify.h"
#include "lookback/tasks/evaluation.h"

namespace lookback::tasks {
namespace {

// Words and marks as the word tokenizer cuts them, whether or not it knows them.
Words words_of(const data::Tokenizer& tokenizer, const std::string& text) {
  return tokenizer.surfaces(with_replacements(text));
}

size_t best_of(const std::vector<double>& probabilities) {
  return static_cast<size_t>(std::ranges::max_element(probabilities) - probabilities.begin());
}

}  // namespace

std::vector<BaselineScores> Classify::baselines(const Recipe& recipe, const data::RowSource& train,
                                                const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                                const LogSink& log) {
  const auto lines = [&](size_t column) { return data::column_lines(train, columns(), {column}, recipe.data.table); };
  const data::Labels labels = data::Labels::learn(lines(1), "data.train");
  const auto tokenizer =
      data::train_tokenizer({.kind = "word", .size = 1'000'000, .split = recipe.tokenizer.split}, lines(0), log);
  const data::Table table(train, {{"text", tokenizer.get()}, {"label", &labels}}, recipe.data.table,
                          data::Keep::tokens_and_text);
  log(Severity::info, "training data: " + data::describe(table.report()));
  LabelledTexts data{.classes = labels.size()};
  for (int64_t k = 0; k < table.size(); ++k) {
    data.texts.push_back(words_of(*tokenizer, std::string(table.text(0, k))));
    data.labels.push_back(table.ids(1, k)[0]);
  }
  const std::pair<const char*, BagOfWords> baselines[] = {{"majority", train_majority(data)},
                                                          {"naive Bayes", train_naive_bayes(data)},
                                                          {"logistic regression", train_logistic_regression(data)}};
  std::vector<BaselineScores> out;
  for (const auto& [set, rows] : sets) {
    const Examples examples = read_examples(rows, columns(), recipe.data.table);
    for (const auto& [name, model] : baselines) {
      metrics::Lines hypotheses;
      for (const Input& input : examples.inputs)
        hypotheses.push_back(
            labels.name(static_cast<int32_t>(best_of(model.predict(words_of(*tokenizer, *input.find("text")))))));
      out.push_back({name, set, scored(metrics(), hypotheses, examples.references)});
    }
  }
  return out;
}

}  // namespace lookback::tasks
