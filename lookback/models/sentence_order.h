// Private to models: sentences of ids in the order of packed rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "lookback/base/error.h"

namespace lookback {

using Sentences = std::vector<std::vector<int32_t>>;

// Sentences in the order of packed rows: from long to short, equals in their own order.
struct Order {
  std::vector<int32_t> sentence;  // of each rank
  std::vector<int64_t> lengths;   // of each rank

  // Every sentence counts `extra` tokens more than it has.
  Order(const Sentences& sentences, int64_t extra) : sentence(sentences.size()) {
    std::iota(sentence.begin(), sentence.end(), 0);
    auto length = [&](int32_t s) { return static_cast<int64_t>(sentences[static_cast<size_t>(s)].size()) + extra; };
    std::stable_sort(sentence.begin(), sentence.end(), [&](int32_t a, int32_t b) { return length(a) > length(b); });
    for (const int32_t s : sentence) lengths.push_back(length(s));
  }

  // The rank of each sentence.
  std::vector<int32_t> rank() const {
    std::vector<int32_t> out(sentence.size());
    for (size_t k = 0; k < sentence.size(); ++k) out[static_cast<size_t>(sentence[k])] = static_cast<int32_t>(k);
    return out;
  }
};

// Throws ShapeError for an id outside the vocabulary.
inline void check_ids(const Sentences& sentences, int64_t vocabulary, const char* side) {
  for (const auto& s : sentences)
    for (const int32_t id : s)
      check(0 <= id && id < vocabulary, side, " token ", id, " is not in a vocabulary of ", vocabulary);
}

}  // namespace lookback
