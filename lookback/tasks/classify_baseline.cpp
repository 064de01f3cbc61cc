// What a sceptic would try first.
#include <algorithm>

#include "lookback/base/utf8.h"
#include "lookback/models/bag_of_words.h"
#include "lookback/tasks/classify.h"
#include "lookback/tasks/label_report.h"

namespace lookback::tasks {
namespace {

using Trained = BagOfWords (*)(const LabelledTexts&);

// Words and marks as the word tokenizer cuts them, whether or not it knows them.
Words words_of(const data::Tokenizer& tokenizer, const std::string& text) {
  return tokenizer.surfaces(with_replacements(text));
}

bool has(const data::Ids& labels, int32_t label) { return std::ranges::find(labels, label) != labels.end(); }

// One label for each text: the likeliest. Several: of each whether it is there, by a model of its own.
Baseline baseline(const char* name, Trained train, const LabelledTexts& texts, const std::vector<data::Ids>& labels,
                  std::shared_ptr<const data::Labels> known, std::shared_ptr<const data::Tokenizer> tokenizer) {
  const bool several = known->options().several;
  auto models = std::make_shared<std::vector<BagOfWords>>();
  for (int32_t k = 0; k < (several ? known->count() : 1); ++k) {
    LabelledTexts data{.texts = texts.texts, .labels = {}, .classes = several ? 2 : known->count()};
    for (const data::Ids& of_text : labels) data.labels.push_back(several ? has(of_text, k) : of_text[0]);
    models->push_back(train(data));
  }
  return {name, [=](const Input& input) {
            const Words words = words_of(*tokenizer, *input.find("text"));
            data::Ids out;
            for (size_t k = 0; k < models->size(); ++k) {
              const auto p = (*models)[k].predict(words);
              const auto best = static_cast<int32_t>(std::ranges::max_element(p) - p.begin());
              if (!several || best == 1) out.push_back(several ? static_cast<int32_t>(k) : best);
            }
            return known->text(out);
          }};
}

}  // namespace

std::vector<BaselineScores> Classify::baselines(const Recipe& recipe, const data::RowSource& train,
                                                const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                                const LogSink& log) {
  const auto lines = [&](size_t column) { return data::column_lines(train, columns(), {column}, recipe.data.table); };
  const auto labels = std::make_shared<data::Labels>(data::Labels::learn(lines(1), recipe.label, "data.train"));
  const std::shared_ptr<data::Tokenizer> tokenizer =
      data::train_tokenizer({.kind = "word", .size = 1'000'000, .split = recipe.tokenizer.split}, lines(0), log);
  const data::Table table(train, {{"text", tokenizer.get()}, {"label", labels.get()}}, recipe.data.table,
                          data::Keep::tokens_and_text);
  log(Severity::info, "training data: " + data::describe(table.report()));
  LabelledTexts data;
  std::vector<data::Ids> gold;
  for (int64_t k = 0; k < table.size(); ++k) {
    data.texts.push_back(words_of(*tokenizer, std::string(table.text(0, k))));
    gold.push_back(table.ids(1, k));
  }
  std::vector<Baseline> all;
  all.push_back(baseline("majority", &train_majority, data, gold, labels, tokenizer));
  all.push_back(baseline(
      "naive Bayes", [](const LabelledTexts& d) { return train_naive_bayes(d); }, data, gold, labels, tokenizer));
  all.push_back(baseline(
      "logistic regression", [](const LabelledTexts& d) { return train_logistic_regression(d); }, data, gold, labels,
      tokenizer));
  return scored_baselines(
      all, sets, columns(), recipe.data.table, [&](const metrics::Lines& hypotheses, metrics::Lines references) {
        for (std::string& reference : references) reference = labels->as_output(reference);
        return scored(metrics(recipe.label), hypotheses, references, 0, metric_options(recipe.label));
      });
}

}  // namespace lookback::tasks
