// Private to decode: all partial outputs of one sentence, as a tree that grows towards the end.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/decode/hypothesis.h"

namespace lookback::decode {

class Trellis {
 public:
  static constexpr int64_t kRoot = -1;

  // source_length as in SourceInfo.
  explicit Trellis(int64_t source_length) : width_(source_length), width_known_(source_length >= 0) {}

  // Keeps one row of attention, cut to the source; returns its name. Rows of a
  // model without attention are empty. Throws ShapeError if the row is too short,
  // or if some rows are empty and others not.
  int64_t add_weights(std::span<const float> row);
  // A token after `parent` (kRoot or another token), decided by attention row `weights`.
  int64_t add(int64_t parent, int32_t token, double log_prob, int64_t weights);

  int64_t length(int64_t node) const { return node == kRoot ? 0 : nodes_[static_cast<size_t>(node)].length; }
  // What comes after the root up to `node`, bos excluded.
  void tokens(int64_t node, std::vector<int32_t>& out) const;
  int32_t last_token(int64_t node) const { return nodes_[static_cast<size_t>(node)].token; }
  // sum_i log(min(sum_j p_ij, 1)) over source positions i and steps j up to `node`
  // (Wu et al. 2016, eq. 14). A position counts as attended to by at least 1e-10,
  // so that one never looked at costs 23 and not everything.
  double log_coverage(int64_t node) const;
  // Tokens, log-probabilities and alignment; the score is the caller's.
  Hypothesis hypothesis(int64_t node) const;

 private:
  struct Node {
    int64_t parent;
    int64_t weights;  // row of weights_
    double log_prob;
    int32_t token;
    int32_t length;
  };

  std::vector<Node> nodes_;
  std::vector<float> weights_;  // [rows, width_]
  int64_t width_;               // columns kept of every row of attention
  bool width_known_;
  int64_t rows_ = 0;
  bool empty_rows_ = false;
};

}  // namespace lookback::decode
