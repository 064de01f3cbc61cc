// What a sceptic would try first.
#include <algorithm>
#include <map>
#include <set>

#include "lookback/data/word_rules.h"
#include "lookback/metrics/answer.h"
#include "lookback/tasks/answer.h"

namespace lookback::tasks {
namespace {

std::multiset<std::string> words_of(const std::string& text) {
  std::multiset<std::string> out;
  const std::string normal = metrics::normalized_answer(text);
  for (const std::string_view word : data::split_spaces(normal)) out.emplace(word);
  return out;
}

// Sentences end behind a word that ends with a full stop, a question mark or an exclamation mark.
StringList sentences_of(const std::string& passage) {
  StringList out;
  bool ended = true;
  for (const std::string_view word : data::split_spaces(passage)) {
    if (ended) out.emplace_back();
    out.back().append(out.back().empty() ? "" : " ").append(word);
    ended = word.ends_with('.') || word.ends_with('?') || word.ends_with('!');
  }
  return out;
}

// Of equals the first.
std::string best_sentence(const Input& input) {
  const auto asked = words_of(*input.find("question"));
  std::string best;
  int64_t most = -1;
  for (const std::string& sentence : sentences_of(*input.find("context"))) {
    std::vector<std::string> shared;
    const auto words = words_of(sentence);
    std::ranges::set_intersection(asked, words, std::back_inserter(shared));
    if (std::ssize(shared) > most) most = std::ssize(shared), best = sentence;
  }
  return best;
}

}  // namespace

std::vector<BaselineScores> Answer::baselines(const Recipe& recipe, const data::RowSource& train,
                                              const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                              const LogSink& log) {
  std::map<std::string, int64_t> counts;
  int64_t questions = 0;
  const data::LineSource answers = data::column_lines(train, columns(), {2}, recipe.data.table);
  for (std::string line; answers(line); ++questions)
    for (const data::GoldAnswer& gold : data::gold_answers(line)) ++counts[gold.text];
  check<FormatError>(!counts.empty(), "data.train: has no answers");
  const std::string usual =
      std::ranges::max_element(counts, std::less(), [](const auto& c) { return c.second; })->first;
  log(Severity::info, str_cat("training data: ", questions, " questions; the most frequent answer is '", usual, "'"));
  return scored_baselines({{"most frequent answer", [usual](const Input&) { return usual; }},
                           {"sentence with most of the question's words", best_sentence}},
                          sets, columns(), recipe.data.table,
                          [](const metrics::Lines& hypotheses, const metrics::Lines& references) {
                            return scores(Network(), {"exact_match", "f1"}, hypotheses, references, 0);
                          });
}

}  // namespace lookback::tasks
