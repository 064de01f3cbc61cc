#include "lookback/decode/hypothesis.h"

#include <algorithm>

namespace lookback::decode {

std::vector<UnknownSource> unknown_sources(const Hypothesis& hypothesis, int32_t unk) {
  std::vector<UnknownSource> out;
  const Tensor& alignment = hypothesis.alignment;
  const int64_t T = alignment.empty() ? 0 : alignment.dim(1);
  check(T == 0 || alignment.dim(0) >= static_cast<int64_t>(hypothesis.tokens.size()), "unknown_sources: alignment ",
        alignment.shape(), " has fewer rows than the ", hypothesis.tokens.size(), " tokens");
  for (size_t k = 0; k < hypothesis.tokens.size(); ++k) {
    if (hypothesis.tokens[k] != unk) continue;
    int64_t source = -1;
    if (T > 0) {
      const float* row = alignment.data<float>() + static_cast<int64_t>(k) * T;
      const float* largest = std::max_element(row, row + T);
      if (*largest > 0) source = largest - row;
    }
    out.push_back({static_cast<int64_t>(k), source});
  }
  return out;
}

}  // namespace lookback::decode
