#include "lookback/data/character_ngrams.h"

#include <string>

namespace lookback::data {
namespace {

constexpr uint32_t kHashStart = 2166136261U;
uint32_t add_to_hash(uint32_t hash, char byte) {
  return (hash ^ static_cast<uint32_t>(static_cast<int32_t>(static_cast<int8_t>(byte)))) * 16777619U;
}

bool continues(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

}  // namespace

std::vector<uint32_t> character_ngrams(std::string_view word, int64_t least, int64_t most) {
  std::vector<uint32_t> out;
  if (word == "</s>") return out;
  std::string marked;
  marked.append("<").append(word).append(">");
  for (size_t begin = 0; begin < marked.size(); ++begin) {
    if (continues(marked[begin])) continue;
    uint32_t hash = kHashStart;
    size_t end = begin;
    for (int64_t n = 1; n <= most && end < marked.size(); ++n) {
      do hash = add_to_hash(hash, marked[end++]);
      while (end < marked.size() && continues(marked[end]));
      const bool mark_alone = n == 1 && (begin == 0 || end == marked.size());
      if (n >= least && !mark_alone) out.push_back(hash);
    }
  }
  return out;
}

}  // namespace lookback::data
