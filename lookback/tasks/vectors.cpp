#include "lookback/tasks/vectors.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/data/vocab.h"
#include "lookback/data/word_tokenizer.h"
#include "lookback/data/word_vectors.h"
#include "lookback/tasks/data_options.h"

namespace lookback::tasks {
void check_spelling(const SpellingOptions& options, const data::TokenizerOptions& tokenizer) {
  check<ConfigError>(tokenizer.sampling == 0 || !options.any(), "tokenizer.sampling = ", tokenizer.sampling,
                     " cuts words anew each time, and model.characters and model.capitals need them as they are");
}

std::shared_ptr<data::Spelling> known_spelling(const SpellingOptions& options,
                                               std::shared_ptr<const data::Tokenizer> tokenizer,
                                               const StringList& characters, const std::string& file) {
  if (!options.any()) return nullptr;
  check<ConfigError>(!characters.empty(), "model.characters and model.capitals need a model that has them; ", file,
                     " has none");
  return std::make_shared<data::Spelling>(std::move(tokenizer), characters, file);
}

void check_vectors(const VectorOptions& options, const data::TokenizerOptions& tokenizer, const std::string& key) {
  check<ConfigError>(options.words == 0 || !options.file.empty(), key, ".words = ", options.words, " needs ", key,
                     ".file, whose words these are");
  check<ConfigError>(options.words == 0 || tokenizer.kind == "word", key, ".words = ", options.words,
                     " adds words, and tokenizer.kind = '", tokenizer.kind, "' has others");
}

std::shared_ptr<data::Tokenizer> with_words_of(const VectorOptions& options, std::shared_ptr<data::Tokenizer> tokenizer,
                                               const std::string& root) {
  if (options.words == 0) return tokenizer;
  return data::with_words(*tokenizer, data::first_words(path_from(options.file, root), options.words));
}

void start_from_vectors(const VectorOptions& options, const data::Tokenizer& tokenizer, const Var& embeddings,
                        const std::string& width_key, const std::string& root, const LogSink& log) {
  if (options.file.empty()) return;
  const std::string path = path_from(options.file, root);
  StringList wanted;
  for (int32_t id = data::kSpecials; id < tokenizer.size(); ++id) wanted.push_back(tokenizer.piece(id));
  const data::WordVectors vectors = data::read_word_vectors(path, wanted);
  check<ConfigError>(vectors.width == embeddings.dim(1), width_key, " = ", embeddings.dim(1), ", but the vectors of ",
                     path, " have a width of ", vectors.width, "; set ", width_key, " = ", vectors.width);
  int64_t found = 0;
  for (size_t k = 0; k < wanted.size(); ++k) {
    if (!vectors.found[k]) continue;
    const auto row = static_cast<int64_t>(k);
    const auto values = vectors.rows.rows(row, row + 1).span<float>();
    std::ranges::copy(values,
                      embeddings.value().rows(row + data::kSpecials, row + data::kSpecials + 1).span<float>().begin());
    ++found;
  }
  embeddings.touch();
  const double share = 100.0 * static_cast<double>(found) / static_cast<double>(std::max<size_t>(1, wanted.size()));
  std::string how;
  if (vectors.lower_cased > 0) how += str_cat(", ", vectors.lower_cased, " by their lower-cased form");
  if (vectors.composed > 0) how += str_cat(", ", vectors.composed, " composed from subwords");
  log(Severity::info, str_cat("vectors: ", path, " (", vectors.format, ", ", vectors.words_in_file, " words): ", found,
                              " of ", wanted.size(), " entries (", fixed(share, 1), " %)", how));
  if (vectors.duplicates + vectors.unreadable > 0)
    log(Severity::warning,
        str_cat(path, ": passed over ", vectors.duplicates, " further vectors of a word that has one and ",
                vectors.unreadable, " words that are empty or not UTF-8"));
}

}  // namespace lookback::tasks
