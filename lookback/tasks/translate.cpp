#include "lookback/tasks/translate.h"

#include "lookback/tasks/task_definition.h"

namespace lookback::tasks {

void Translate::validate(const Recipe& recipe) {
  recipe.decode.validate();
  check<ConfigError>(recipe.model.tie != "all" || recipe.tokenizer.joint,
                     "model.tie = 'all' needs one vocabulary for both languages; set tokenizer.joint = true");
  check_words(recipe.model, recipe.tokenizer, recipe.vectors);
  check<ConfigError>(!recipe.model.copy || recipe.shortlist.per_token == 0,
                     "shortlist.per_token = ", recipe.shortlist.per_token, " does not go with model.copy = true");
  check_network(recipe.model, recipe.loss, recipe.train.options.freeze);
}

TextToText Translate::learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                            const LogSink& log) {
  TextToText out =
      make(kName, recipe.model, recipe.decode, recipe.tokenizer,
           learn_assets(recipe.model, recipe.tokenizer, recipe.vectors, rows, recipe.data.table, root, log),
           seed_of(recipe.train));
  start_from(recipe.vectors, out, root, log);
  return out;
}

TextToText Translate::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  return make(kName, recipe.model, recipe.decode, recipe.tokenizer,
              assets_of(folder, recipe.model, recipe.tokenizer, log), seed_of(recipe.train));
}

void Translate::learn_from(TextToText& network, const Recipe& recipe, const data::Table& table) {
  if (recipe.shortlist.per_token > 0)
    network.shortlist.emplace(table, network.tokenizers.vocabularies(), recipe.shortlist, network.tokenizers.joint());
}

TaskKind translate_kind() { return task_kind<Translate>(); }

}  // namespace lookback::tasks
