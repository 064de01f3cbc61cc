#include "lookback/viz/attention_map.h"

#include <cmath>

#include "lookback/viz/tokens.h"

namespace lookback::viz {

void check_map(const AttentionMap& map) {
  const auto T = static_cast<int64_t>(map.source.size()), U = static_cast<int64_t>(map.target.size());
  check(map.target_scores.empty() || map.target_scores.size() == map.target.size(), "attention map: ", U,
        " target tokens need ", U, " scores or none, got ", map.target_scores.size());
  for (int64_t u = 0; u < static_cast<int64_t>(map.target_scores.size()); ++u) {
    const double score = map.target_scores[static_cast<size_t>(u)];
    check<NumericError>(std::isfinite(score), "attention map: target_scores[", u, "] of '",
                        visible(map.target[static_cast<size_t>(u)]).whole(), "' is ", score, ", not a finite number");
  }
  if ((T == 0 || U == 0) && map.weights.size() == 0) return;
  check(map.weights.dtype() == Dtype::f32, "attention map: weights must be f32, got ", name_of(map.weights.dtype()));
  check(map.weights.shape() == Shape{U, T}, "attention map: weights must be ", Shape{U, T}, " for ", U, " target and ",
        T, " source tokens, got ", map.weights.shape());
  const float* w = map.weights.data<float>();
  for (int64_t k = 0; k < U * T; ++k)
    check<NumericError>(std::isfinite(w[k]), "attention map: weights[", k / T, ",", k % T, "] of '",
                        visible(map.target[static_cast<size_t>(k / T)]).whole(), "' looking at '",
                        visible(map.source[static_cast<size_t>(k % T)]).whole(), "' is ", w[k],
                        ", not a finite number");
}

}  // namespace lookback::viz
