// Okapi BM25: which of many texts is most like another one. What has to be beaten where replies are made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace lookback {

struct Bm25Options {
  double k1 = 1.2;  // how soon more of the same word adds nothing; 0: only whether it is there
  double b = 0.75;  // how much a document's length counts, in [0, 1]
};

// Documents as lists of words, to be asked for the best one for a query. The score is
//   sum over the query's words w, each as often as it stands there, of idf(w) tf / (tf + k1 (1 - b + b len / average)),
//   idf(w) = ln(1 + (N - n + 0.5) / (n + 0.5)),
// where tf is how often the document has w, len how many words the document has, and n of the N documents have w
// (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", eq. 3.15, with Lucene's idf,
// which is above 0 for every word). Const and safe for several threads; the same bits on every machine.
class Bm25 {
 public:
  // Throws ConfigError for options that cannot be.
  explicit Bm25(const std::vector<std::vector<std::string>>& documents, Bm25Options options = {});

  // The number of the document with the highest score, of equals the first: 0 where no word of the query is known.
  // Nothing without documents. Takes time for each document that has a word of the query, and a little for each other.
  std::optional<size_t> best(const std::vector<std::string>& query) const;
  // The score of every document.
  std::vector<double> scores(const std::vector<std::string>& query) const;

  size_t size() const { return size_; }

 private:
  struct Posting {
    uint32_t document;
    double score;  // that the word adds there
  };
  size_t size_;
  std::unordered_map<std::string, std::vector<Posting>> words_;
};

}  // namespace lookback
