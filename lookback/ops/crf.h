// Linear-chain conditional random fields (Lafferty et al. 2001): scores of whole sequences of tags.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/autograd/var.h"
#include "lookback/ops/layout.h"

namespace lookback::ops {

// S tokens by sequence, K tags. With e, t, b, f for the four, a sequence of L tokens scores tags y by
//   b[y_1] + f[y_L] + sum over tokens of e[n, y_n] + sum over neighbours of t[y_(n-1), y_n],
// and softmax over all K^L sequences of tags makes probabilities of scores. -infinity, of the last three, forbids.
struct CrfScores {
  Var emissions;    // [S, K]
  Var transitions;  // [K, K] from a row's tag to a column's
  Var start, end;   // [K]
};

struct CrfOut {
  Var loss;            // [1] scale * the sum over sequences of -log p(tags)
  double nll_sum = 0;  // that sum
};

// Forward and backward recursions in one op, with gradients of all four scores. tags [S], each in [0, K). A sequence of
// no tokens costs nothing. What a sequence gives does not depend on the others, nor on the number of threads. Throws
// ShapeError for what does not fit, and for tags that are forbidden.
CrfOut crf_loss(const CrfScores& scores, const MemoryLayout& layout, const std::vector<int32_t>& tags,
                double scale = 1);

struct CrfPaths {
  std::vector<int32_t> tags;   // [S]
  std::vector<double> scores;  // of each sequence
};

// The best tags of each sequence (Viterbi); of equals, seen from the end, the smaller tag. No gradients. Throws
// ShapeError for what does not fit, and for a sequence that has no tags that are allowed.
CrfPaths crf_viterbi(const CrfScores& scores, const MemoryLayout& layout);

struct CrfMarginals {
  Tensor probabilities;       // [S, K] of each token's tags
  std::vector<double> log_z;  // of each sequence, log of the sum of e^score over all tags
};

// Likewise.
CrfMarginals crf_marginals(const CrfScores& scores, const MemoryLayout& layout);

}  // namespace lookback::ops
