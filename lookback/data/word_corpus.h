// A text as the ids of its words.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lookback::data {

struct CorpusOptions {
  int64_t min_count = 5;
  bool lowercase = false;

  void fields(auto& v) {
    v("min_count", min_count, "words that the text has less often are left out, as if they were not there")
        .range(1, 1e9);
    v("lowercase", lowercase, "words in lower case; they stay as they stand unless given");
  }
};

struct WordCorpus {
  std::vector<std::string> words;  // most frequent first; of equals the one seen first
  std::vector<int64_t> counts;     // [words]
  std::vector<int32_t> tokens;     // words by number, in the order of the text
  std::vector<int64_t> sentences;  // [S + 1] sentence s is tokens[sentences[s]] to before tokens[sentences[s + 1]]
  int64_t tokens_in_text = 0;      // with those of rare words
  int64_t distinct_words = 0;      // likewise
  int64_t unreadable = 0;          // tokens passed over: not UTF-8, or longer than a file of vectors can hold
};

// Reads the lines of files, plain or gzip, "-" being standard input. Words are what stands between spaces, tabs and
// other white space of ASCII; a sentence is a line, or 10,000 words of a longer one. Memory is 4 bytes a token and the
// distinct words. Throws FormatError for a text without words, ConfigError where none is there min_count times, both
// with the name of the file, or of the first of several; and as LineReader does.
WordCorpus read_word_corpus(std::span<const std::string> paths, const CorpusOptions& options);

}  // namespace lookback::data
