// Sentences of ids.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lookback/base/error.h"

namespace lookback {

using Sentences = std::vector<std::vector<int32_t>>;

// Of each sentence its tokens, and `extra` more.
inline std::vector<int64_t> lengths_of(const Sentences& sentences, int64_t extra = 0) {
  std::vector<int64_t> out;
  out.reserve(sentences.size());
  for (const auto& s : sentences) out.push_back(static_cast<int64_t>(s.size()) + extra);
  return out;
}

// Throws ShapeError for an id outside the vocabulary.
inline void check_ids(const Sentences& sentences, int64_t vocabulary, const char* side) {
  for (const auto& s : sentences)
    for (const int32_t id : s)
      check(0 <= id && id < vocabulary, side, " token ", id, " is not in a vocabulary of ", vocabulary);
}

// One more than the largest id that a sentence has beside a vocabulary of that many.
inline int64_t extended_size(const std::vector<int32_t>& copies, int64_t vocabulary) {
  for (const int32_t id : copies) vocabulary = std::max<int64_t>(vocabulary, id + 1);
  return vocabulary;
}

// Throws ShapeError unless there is an id for each token of each source.
inline void check_copies(const Sentences& source, const Sentences& copies) {
  check(copies.size() == source.size(), "copies of ", copies.size(), " sources for ", source.size());
  for (size_t b = 0; b < source.size(); ++b)
    check(copies[b].size() == source[b].size(), "copies of ", copies[b].size(), " tokens for ", source[b].size());
}

}  // namespace lookback
