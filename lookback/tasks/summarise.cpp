#include "lookback/tasks/summarise.h"

#include <cmath>

#include "lookback/base/utf8.h"
#include "lookback/data/word_rules.h"
#include "lookback/metrics/distinct.h"
#include "lookback/tasks/task_definition.h"

namespace lookback::tasks {
namespace {

// Says how many sources are longer than what is read of them.
void tell_of_limit(const Summarise::Recipe& recipe, const data::Tokenizer& tokenizer, const data::RowSource& rows,
                   const LogSink& log) {
  const int64_t limit = recipe.tokenizer.source_limit;
  if (limit == 0) return;
  int64_t all = 0, longer = 0;
  const data::LineSource sources = data::column_lines(rows, Summarise::columns(), {0}, recipe.data.table);
  for (std::string line; sources(line); ++all) longer += valid_utf8(line) && std::ssize(tokenizer.encode(line)) > limit;
  log(Severity::info, str_cat("sources: ", longer, " of ", all, " have more than ", limit,
                              " tokens and are read to there (tokenizer.source_limit)"));
}

// The first `count` words of a text.
std::string first_words(const std::string& text, int64_t count) {
  std::string out;
  for (const std::string_view word : data::split_spaces(text)) {
    if (count-- == 0) break;
    out.append(out.empty() ? "" : " ").append(word);
  }
  return out;
}

// To the first word that ends in a full stop, a question mark or an exclamation mark, or all.
std::string first_sentence(const std::string& text) {
  std::string out;
  for (const std::string_view word : data::split_spaces(text)) {
    out.append(out.empty() ? "" : " ").append(word);
    if (word.ends_with('.') || word.ends_with('?') || word.ends_with('!')) break;
  }
  return out;
}

}  // namespace

void Summarise::validate(const Recipe& recipe) {
  recipe.decode.validate();
  check<ConfigError>(recipe.model.tie != "all" || recipe.tokenizer.joint,
                     "model.tie = 'all' needs one vocabulary for both sides; set tokenizer.joint = true");
  check_words(recipe.model, recipe.tokenizer, recipe.vectors);
  check<ConfigError>(recipe.tokenizer.source_limit == 0 || !recipe.model.spelling.any(),
                     "tokenizer.source_limit = ", recipe.tokenizer.source_limit,
                     " does not go with a model that reads characters; set it to 0");
  check_network(recipe.model, recipe.loss, recipe.train.options.freeze);
}

TextToText Summarise::learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                            const LogSink& log) {
  Assets assets = learn_assets(recipe.model, recipe.tokenizer, recipe.vectors, rows, recipe.data.table, root, log);
  assets.source_limit = recipe.tokenizer.source_limit;
  tell_of_limit(recipe, *assets.tokenizers.source, rows, log);
  TextToText out = make(kName, recipe.model, recipe.decode, recipe.tokenizer, std::move(assets), seed_of(recipe.train));
  start_from(recipe.vectors, out, root, log);
  return out;
}

TextToText Summarise::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  Assets assets = assets_of(folder, recipe.model, recipe.tokenizer, log);
  assets.source_limit = recipe.tokenizer.source_limit;
  return make(kName, recipe.model, recipe.decode, recipe.tokenizer, std::move(assets), seed_of(recipe.train));
}

std::vector<EvaluationLine> Summarise::scores(const TextToText&, const StringList& names,
                                              const metrics::Lines& hypotheses, const metrics::Lines& references,
                                              int64_t resamples) {
  std::vector<EvaluationLine> out = scored(names, hypotheses, references, resamples);
  out.push_back({.name = "repeated3",
                 .value = metrics::repeated_ngrams(hypotheses, 3),
                 .signature = str_cat("unit:word|version:", metrics::kVersion)});
  return out;
}

std::vector<BaselineScores> Summarise::baselines(const Recipe& recipe, const data::RowSource& train,
                                                 const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                                 const LogSink& log) {
  int64_t summaries = 0, words = 0;
  const data::LineSource targets = data::column_lines(train, columns(), {1}, recipe.data.table);
  for (std::string line; targets(line); ++summaries) words += std::ssize(data::split_spaces(line));
  check<FormatError>(summaries > 0, "data.train: no example is left after filtering");
  const int64_t count = std::max<int64_t>(1, std::lround(static_cast<double>(words) / static_cast<double>(summaries)));
  log(Severity::info, str_cat("training data: ", summaries, " summaries of ", count, " words on the mean"));
  const auto first = [](int64_t n) {
    return [n](const Input& input) { return first_words(*input.find("source"), n); };
  };
  return scored_baselines(
      {{str_cat("first ", count, " words"), first(count)},
       {str_cat("first ", 3 * count, " words"), first(3 * count)},
       {"first sentence", [](const Input& input) { return first_sentence(*input.find("source")); }}},
      sets, columns(), recipe.data.table, [](const metrics::Lines& hypotheses, const metrics::Lines& references) {
        return scored(metrics(), hypotheses, references);
      });
}

TaskKind summarise_kind() { return task_kind<Summarise>(); }

}  // namespace lookback::tasks
