#include "lookback/decode/trellis.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"

namespace lookback::decode {

int64_t Trellis::add_weights(std::span<const float> row) {
  const int64_t given = static_cast<int64_t>(row.size());
  check(given == 0 ? rows_ == 0 : !empty_rows_, "the decoder gave attention weights in some steps and not in others");
  if (given == 0) {
    empty_rows_ = true;
    return -1;
  }
  if (!width_known_) width_ = given, width_known_ = true;
  check(given >= width_, "attention has ", given, " source positions, the sentence ", width_);
  weights_.insert(weights_.end(), row.begin(), row.begin() + width_);
  return rows_++;
}

int64_t Trellis::add(int64_t parent, int32_t token, double log_prob, int64_t weights) {
  nodes_.push_back({parent, weights, log_prob, token, static_cast<int32_t>(length(parent) + 1)});
  return static_cast<int64_t>(nodes_.size()) - 1;
}

void Trellis::tokens(int64_t node, std::vector<int32_t>& out) const {
  out.resize(static_cast<size_t>(length(node)));
  for (size_t k = out.size(); k-- > 0; node = nodes_[static_cast<size_t>(node)].parent)
    out[k] = nodes_[static_cast<size_t>(node)].token;
}

double Trellis::log_coverage(int64_t node) const {
  std::vector<double> sums(static_cast<size_t>(std::max<int64_t>(0, width_)), 0.0);
  for (; node != kRoot; node = nodes_[static_cast<size_t>(node)].parent) {
    const int64_t weights = nodes_[static_cast<size_t>(node)].weights;
    for (size_t i = 0; weights >= 0 && i < sums.size(); ++i)
      sums[i] += static_cast<double>(weights_[static_cast<size_t>(weights * width_) + i]);
  }
  double total = 0;
  // Written so that NaN stays NaN.
  for (const double s : sums) total += s >= 1 ? 0.0 : s < 1e-10 ? elementary::log(1e-10) : elementary::log(s);
  return total;
}

Hypothesis Trellis::hypothesis(int64_t node) const {
  Hypothesis out;
  tokens(node, out.tokens);
  const int64_t U = length(node);
  out.token_log_probs.resize(static_cast<size_t>(U));
  if (rows_ > 0) out.alignment = Tensor({U, width_});
  for (int64_t u = U; u-- > 0;) {
    const Node& n = nodes_[static_cast<size_t>(node)];
    out.token_log_probs[static_cast<size_t>(u)] = n.log_prob;
    if (rows_ > 0) std::copy_n(weights_.begin() + n.weights * width_, width_, out.alignment.data<float>() + u * width_);
    node = n.parent;
  }
  for (const double log_prob : out.token_log_probs) out.log_prob += log_prob;
  return out;
}

}  // namespace lookback::decode
