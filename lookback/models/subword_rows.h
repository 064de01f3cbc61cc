// Private to models: the vectors of words as means of those of their n-grams.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "lookback/data/character_ngrams.h"
#include "lookback/tensor/tensor.h"

namespace lookback {

// Rows of a table: one for each word, then one for each bucket that an n-gram of a word falls into. Buckets that no
// word has would never be trained, and have no row.
class SubwordRows {
 public:
  SubwordRows(std::span<const std::string> words, int64_t min_n, int64_t max_n, int64_t buckets) {
    rows_ = std::ssize(words);
    std::unordered_map<uint32_t, int32_t> row_of;
    begin_.push_back(0);
    for (size_t w = 0; w < words.size(); ++w) {
      ids_.push_back(static_cast<int32_t>(w));
      for (const uint32_t hash : data::character_ngrams(words[w], min_n, max_n)) {
        const auto [it, fresh] = row_of.emplace(hash % static_cast<uint32_t>(buckets), static_cast<int32_t>(rows_));
        rows_ += fresh;
        ids_.push_back(it->second);
      }
      begin_.push_back(std::ssize(ids_));
    }
  }

  int64_t rows() const { return rows_; }
  // The rows of a word, its own first; one is there as often as the word has its n-gram.
  std::span<const int32_t> of(int32_t word) const {
    const auto w = static_cast<size_t>(word);
    return std::span(ids_).subspan(static_cast<size_t>(begin_[w]), static_cast<size_t>(begin_[w + 1] - begin_[w]));
  }
  // The mean of a word's rows of `table` [rows, W] into out [W].
  void compose(int32_t word, const Tensor& table, float* out) const {
    const int64_t W = table.dim(1);
    const std::span<const int32_t> ids = of(word);
    std::fill_n(out, W, 0.0f);
    for (const int32_t id : ids) {
      const float* const row = table.data<float>() + id * W;
      for (int64_t w = 0; w < W; ++w) out[w] += row[w];
    }
    const auto scale = static_cast<float>(1.0 / static_cast<double>(ids.size()));
    for (int64_t w = 0; w < W; ++w) out[w] *= scale;
  }
  // Adds columns [begin, end) of `gain` [W] to each of a word's rows.
  void add(int32_t word, const float* gain, int64_t begin, int64_t end, const Tensor& table) const {
    for (const int32_t id : of(word)) {
      float* const row = table.data<float>() + id * table.dim(1);
      for (int64_t w = begin; w < end; ++w) row[w] += gain[w];
    }
  }

 private:
  int64_t rows_ = 0;
  std::vector<int64_t> begin_;  // [words + 1], in ids_
  std::vector<int32_t> ids_;
};

}  // namespace lookback
