// What a sceptic would try first.
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/translate.h"

namespace lookback::tasks {
namespace {

// Word by word in the order of the source; an unknown word stays.
Baseline word_by_word(const data::Table& table, const Tokenizers& words) {
  auto lexicon = std::make_shared<Shortlist>(table, words.vocabularies(), ShortlistOptions{1, 0}, false);
  return {"word by word", [lexicon, words](const Input& input) {
            const std::string& source = *input.find("source");
            const auto ids = words.source->encode(source);
            const auto surfaces = words.source->surfaces(source);
            std::string out;
            for (size_t k = 0; k < ids.size(); ++k) {
              const int32_t best = ids[k] == data::kUnk ? data::kUnk : lexicon->likeliest(ids[k]);
              const std::string word =
                  best > data::kUnk ? words.target->decode(std::vector<int32_t>{best}) : surfaces[k];
              out += (out.empty() ? "" : " ") + word;
            }
            return out;
          }};
}

}  // namespace

std::vector<BaselineScores> Translate::baselines(const Recipe& recipe, const data::RowSource& train,
                                                 const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                                 const LogSink& log) {
  const data::TokenizerOptions word{.kind = "word", .size = 1'000'000, .joint = false};
  const Tokenizers words = Tokenizers::learn(word, train, recipe.data.table, log);
  const data::Table table(train, words.columns(), recipe.data.table);
  log(Severity::info, "training data: " + data::describe(table.report()));
  const Baseline copy{"copy", [](const Input& input) { return *input.find("source"); }};
  return scored_baselines({copy, word_by_word(table, words)}, sets, columns(), recipe.data.table,
                          [](const metrics::Lines& hypotheses, const metrics::Lines& references) {
                            return scored(metrics(), hypotheses, references);
                          });
}

}  // namespace lookback::tasks
