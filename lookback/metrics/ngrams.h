// Counted n-grams over 32-bit symbols: code points, or words numbered by an Interner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lookback::metrics {

// The views point into the counted sequence.
using NgramCounts = std::unordered_map<std::u32string_view, int64_t>;

// All n-grams of one order.
inline NgramCounts count_ngrams(std::u32string_view symbols, int64_t n) {
  NgramCounts counts;
  const auto size = static_cast<int64_t>(symbols.size());
  if (size >= n) counts.reserve(size - n + 1);
  for (int64_t i = 0; i + n <= size; ++i) ++counts[symbols.substr(i, n)];
  return counts;
}

// Gives equal words equal numbers.
class Interner {
 public:
  char32_t operator()(std::u32string_view word) {
    return ids_.try_emplace(std::u32string(word), static_cast<char32_t>(ids_.size())).first->second;
  }
  template <class Words>
  std::u32string all(const Words& words) {
    std::u32string out;
    for (const auto& w : words) out.push_back((*this)(w));
    return out;
  }

 private:
  std::unordered_map<std::u32string, char32_t> ids_;
};

}  // namespace lookback::metrics
