// What a sceptic would try first: the source as it is, and each word by its likeliest translation.
#include "lookback/data/corpus.h"
#include "lookback/metrics/registry.h"
#include "lookback/tasks/shortlist.h"
#include "lookback/tasks/translate_model.h"

namespace lookback::tasks {
namespace {

using Translator = std::function<std::string(const std::string&)>;

// IBM model 1 (Brown et al. 1993), word by word in the order of the source; an unknown word stays.
Translator word_by_word(const data::Corpus& corpus, const Tokenizers& words) {
  auto lexicon = std::make_shared<Shortlist>(corpus, words.vocabularies(), ShortlistOptions{1, 0}, false);
  return [lexicon, words](const std::string& source) {
    const auto ids = words.source->encode(source);
    const auto surfaces = words.source->surfaces(source);
    std::string out;
    for (size_t k = 0; k < ids.size(); ++k) {
      const int32_t best = ids[k] == data::kUnk ? data::kUnk : lexicon->likeliest(ids[k]);
      const std::string word = best > data::kUnk ? words.target->decode(std::vector<int32_t>{best}) : surfaces[k];
      out += (out.empty() ? "" : " ") + word;
    }
    return out;
  };
}

std::vector<EvaluationLine> scored(const data::Corpus& corpus, const Translator& translate) {
  metrics::Lines hypotheses, references;
  for (int64_t k = 0; k < corpus.size(); ++k) {
    hypotheses.push_back(translate(std::string(corpus.source_text(k))));
    references.emplace_back(corpus.target_text(k));
  }
  return text_scores(hypotheses, references);
}

}  // namespace

std::vector<BaselineScores> translate_baselines(const std::vector<std::string>& train,
                                                const std::vector<std::vector<std::string>>& sets,
                                                const data::CorpusOptions& options, const LogSink& log) {
  const data::TokenizerOptions word{.kind = "word", .size = 1'000'000, .joint = false};
  const Tokenizers words = Tokenizers::learn(word, train, options, log);
  const data::Corpus corpus(train, *words.source, *words.target, options);
  log(Severity::info, "training data: " + data::describe(corpus.report()));
  const std::pair<const char*, Translator> baselines[] = {{"copy", [](const std::string& source) { return source; }},
                                                          {"word by word", word_by_word(corpus, words)}};
  std::vector<BaselineScores> out;
  for (const auto& files : sets) {
    const data::Corpus set(files, *words.source, *words.target, options, data::Keep::tokens_and_text);
    for (const auto& [name, translate] : baselines) out.push_back({name, files[0], scored(set, translate)});
  }
  return out;
}

}  // namespace lookback::tasks
