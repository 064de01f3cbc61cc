#include "lookback/models/bm25.h"

#include <algorithm>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"

namespace lookback {

Bm25::Bm25(const std::vector<std::vector<std::string>>& documents, Bm25Options options) : size_(documents.size()) {
  check<ConfigError>(options.k1 >= 0 && options.k1 < 1e6, "BM25: k1 = ", options.k1, " is not in [0, 1e6)");
  check<ConfigError>(options.b >= 0 && options.b <= 1, "BM25: b = ", options.b, " is not in [0, 1]");
  check<ConfigError>(size_ < UINT32_MAX, "BM25: ", size_, " documents are too many");
  size_t total = 0;
  for (size_t k = 0; k < size_; ++k) {
    total += documents[k].size();
    for (const std::string& word : documents[k]) {
      auto& postings = words_[word];
      if (postings.empty() || postings.back().document != k) postings.push_back({static_cast<uint32_t>(k), 0});
      ++postings.back().score;
    }
  }
  const double n = static_cast<double>(size_), average = static_cast<double>(total) / n;
  for (auto& [word, postings] : words_) {
    const double with = static_cast<double>(postings.size());
    const double idf = elementary::log1p((n - with + 0.5) / (with + 0.5));
    for (Posting& p : postings) {
      const double length = static_cast<double>(documents[p.document].size()), often = p.score;
      p.score = idf * often / (often + options.k1 * (1 - options.b + options.b * length / average));
    }
  }
}

std::vector<double> Bm25::scores(const std::vector<std::string>& query) const {
  std::vector<double> out(size_);
  for (const std::string& word : query) {
    const auto found = words_.find(word);
    if (found == words_.end()) continue;
    for (const Posting& p : found->second) out[p.document] += p.score;
  }
  return out;
}

std::optional<size_t> Bm25::best(const std::vector<std::string>& query) const {
  if (size_ == 0) return std::nullopt;
  const std::vector<double> all = scores(query);
  return static_cast<size_t>(std::ranges::max_element(all) - all.begin());
}

}  // namespace lookback
