// Sentences of ids.
#pragma once

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

}  // namespace lookback
