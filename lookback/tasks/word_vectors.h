// Vectors of words: learnt from a text, and looked at.
#pragma once

#include <string>
#include <vector>

#include "lookback/base/log.h"
#include "lookback/data/word_corpus.h"
#include "lookback/data/word_vectors.h"
#include "lookback/models/word_vectors.h"

namespace lookback::tasks {

struct WordVectorOptions {
  SkipGramOptions model;
  data::CorpusOptions text;

  void fields(auto& v) {
    model.fields(v);
    text.fields(v);
  }
};

// data::read_word_corpus, which says how much was read and warns of what was passed over.
data::WordCorpus read_text(const std::vector<std::string>& paths, const data::CorpusOptions& options,
                           const LogSink& log);

struct Neighbour {
  std::string word;
  double cosine = 0;
};

// The `count` words whose vectors have the largest cosine with that of `word`, nearest first; of equals the one that
// the file has first. A vector of zeros is near to none. Throws ConfigError for a word that the file lacks, with one
// that is spelt alike, if one of its first 100,000 is.
std::vector<Neighbour> nearest_words(const data::AllWordVectors& vectors, const std::string& word, int64_t count);

}  // namespace lookback::tasks
