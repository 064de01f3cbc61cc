#include "lookback/models/spellings.h"

#include "lookback/data/spelling.h"

namespace lookback {

static_assert(Front::kCases == data::Spelling::kCases);

Spellings spellings_of(const Sentences& texts, const std::vector<int32_t>& index) {
  Spellings out;
  for (const int32_t k : index)
    for (const int32_t id : texts[static_cast<size_t>(k)]) {
      if (id < Front::kCases) {
        out.add(id, {});
      } else {
        check(!out.ends.empty(), "a spelling begins with a character, not with a case");
        out.characters.push_back(id - Front::kCases), ++out.ends.back();
      }
    }
  return out;
}

Sentences permuted(const Sentences& texts, const std::vector<int32_t>& index) {
  Sentences out;
  for (const int32_t k : index) out.push_back(texts[static_cast<size_t>(k)]);
  return out;
}

std::vector<int32_t> flattened(const Sentences& texts, const std::vector<int32_t>& index) {
  std::vector<int32_t> out;
  for (const int32_t k : index) {
    const auto& text = texts[static_cast<size_t>(k)];
    out.insert(out.end(), text.begin(), text.end());
  }
  return out;
}

}  // namespace lookback
