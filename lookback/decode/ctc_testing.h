// For tests: CTC by the book, over all paths.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <vector>

#include "lookback/base/rng.h"
#include "lookback/tensor/tensor.h"

namespace lookback::decode {

// Log-probabilities f32 [T, V], of `never` -infinity.
inline Tensor random_frames(int64_t T, int64_t V, uint64_t seed, const std::vector<int32_t>& never = {},
                            double spread = 1.5) {
  Rng rng(seed, 3);
  Tensor out({T, V});
  for (int64_t t = 0; t < T; ++t) {
    float* const row = out.data<float>() + t * V;
    for (int64_t k = 0; k < V; ++k) row[k] = static_cast<float>(spread * rng.normal());
    for (const int32_t k : never) row[k] = -std::numeric_limits<float>::infinity();
    double sum = 0;
    for (int64_t k = 0; k < V; ++k) sum += std::exp(static_cast<double>(row[k]));
    for (int64_t k = 0; k < V; ++k) row[k] = static_cast<float>(static_cast<double>(row[k]) - std::log(sum));
  }
  return out;
}

// visit(path, its log-probability) for every path.
inline void each_path(const Tensor& log_probs,
                      const std::function<void(const std::vector<int32_t>& path, double log_prob)>& visit) {
  const int64_t T = log_probs.dim(0), V = log_probs.dim(1);
  std::vector<int32_t> path;
  const std::function<void(double)> walk = [&](double log_prob) {
    if (std::ssize(path) == T) return visit(path, log_prob);
    for (int32_t k = 0; k < V; ++k) {
      const double p = static_cast<double>(log_probs.data<float>()[std::ssize(path) * V + k]);
      path.push_back(k);
      walk(log_prob + p);
      path.pop_back();
    }
  };
  walk(0);
}

inline std::vector<int32_t> joined(const std::vector<int32_t>& path, int32_t blank) {
  std::vector<int32_t> out;
  for (size_t t = 0; t < path.size(); ++t)
    if (path[t] != blank && (t == 0 || path[t] != path[t - 1])) out.push_back(path[t]);
  return out;
}

using Texts = std::map<std::vector<int32_t>, double>;  // probability of each

inline Texts all_texts(const Tensor& log_probs, int32_t blank) {
  Texts out;
  each_path(log_probs, [&](const auto& path, double log_prob) { out[joined(path, blank)] += std::exp(log_prob); });
  std::erase_if(out, [](const auto& text) { return text.second == 0; });
  return out;
}

}  // namespace lookback::decode
