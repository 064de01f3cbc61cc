// Private to tasks: embeddings that start from word vectors trained elsewhere.
#pragma once

#include <string>

#include "lookback/autograd/var.h"
#include "lookback/base/fields.h"
#include "lookback/base/log.h"
#include "lookback/data/spelling.h"
#include "lookback/data/tokenizer.h"
#include "lookback/nn/front.h"

namespace lookback::tasks {

// The [vectors] of a recipe.
struct VectorOptions {
  std::string file;
  int64_t words = 0;

  void fields(FieldVisitor& v) {
    v("file", file,
      "embeddings start from the vectors of this file: GloVe, word2vec or fastText, text or binary, plain or .gz; "
      "train.freeze = [\"embedding.weight\"] keeps them, with train.thaw_epochs for so long");
    v("words", words,
      "tokenizer.kind = 'word': so many of the file's first words join the vocabulary, besides those of training")
        .range(0, 1e8);
  }
  bool any() const { return !file.empty(); }
};

// Throws ConfigError for options that do not go with this tokenizer. `key` is what messages call them: "vectors".
void check_vectors(const VectorOptions& options, const data::TokenizerOptions& tokenizer, const std::string& key);
// The same for what a front reads of how words are written.
void check_spelling(const SpellingOptions& options, const data::TokenizerOptions& tokenizer);
// What such a front needs, of a model whose config.json is `file` and has these characters; null where it reads none.
// Throws ConfigError where the model has no characters, FormatError where they are none.
std::shared_ptr<data::Spelling> known_spelling(const SpellingOptions& options,
                                               std::shared_ptr<const data::Tokenizer> tokenizer,
                                               const StringList& characters, const std::string& file);

// The tokenizer with the words that the options add. Relative paths start at `root`. Throws as first_words does.
std::shared_ptr<data::Tokenizer> with_words_of(const VectorOptions& options, std::shared_ptr<data::Tokenizer> tokenizer,
                                               const std::string& root);

// Sets the rows of `embeddings` [vocabulary, width] that the file has, and says how many. The others stay. Does nothing
// without a file. `width_key` is what messages call the width: "model.embedding". Throws ConfigError for vectors of
// another width, and as read_word_vectors does.
void start_from_vectors(const VectorOptions& options, const data::Tokenizer& tokenizer, const Var& embeddings,
                        const std::string& width_key, const std::string& root, const LogSink& log);

}  // namespace lookback::tasks
