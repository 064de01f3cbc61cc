#pragma once

#include <cstdint>
#include <vector>

#include "lookback/autograd/var.h"

namespace lookback::ops {

struct XentOptions {
  double smoothing = 0;              // share of the target spread evenly over all classes (Szegedy et al. 2016)
  double scale = 1;                  // the loss is scale times the sum over rows
  std::vector<double> weights = {};  // [N] of the rows, in loss and loss_sum; all are 1 without
};

struct XentOut {
  Var loss;                        // [1] scale * sum of the rows' losses
  double loss_sum = 0;             // sum of the rows' losses, with smoothing
  double nll_sum = 0;              // sum of -log p[target]
  int64_t correct = 0;             // rows whose target has the largest logit
  std::vector<int8_t> is_correct;  // [N] which these are
};

// Output projection and softmax cross-entropy in one: logits = hidden w^T + bias.
// hidden [N, H], w [V, H], bias [V] or absent, targets [N]. Works through the
// rows in chunks, so that the [N, V] matrix is never held whole twice.
XentOut projected_xent(const Var& hidden, const Var& w, const Var& bias, const std::vector<int32_t>& targets,
                       const XentOptions& options = {});

// Binary cross-entropy of each logit with a target of its own: with z = logits, y = targets, both [N, K], and the
// weights [K] of what is 1 (PyTorch's pos_weight; all 1 without)
//   sum over n, k of w_k y softplus(-z) + (1 - y) softplus(z),  softplus(z) = log(1 + e^z).
// Targets are in [0, 1]. Throws ShapeError.
struct BinaryXentOut {
  Var loss;             // [1] scale * that sum
  double loss_sum = 0;  // that sum
};
BinaryXentOut binary_xent(const Var& logits, const Tensor& targets, const std::vector<double>& weights,
                          double scale = 1);

}  // namespace lookback::ops
