#pragma once

#include <cstdint>
#include <vector>

#include "lookback/autograd/var.h"

namespace lookback::ops {

struct XentOptions {
  double smoothing = 0;  // share of the target spread evenly over all classes (Szegedy et al. 2016)
  double scale = 1;      // the loss is scale times the sum over rows
};

struct XentOut {
  Var loss;             // [1] scale * sum of the rows' losses
  double loss_sum = 0;  // sum of the rows' losses, with smoothing
  double nll_sum = 0;   // sum of -log p[target]
  int64_t correct = 0;  // rows whose target has the largest logit
};

// Output projection and softmax cross-entropy in one: logits = hidden w^T + bias.
// hidden [N, H], w [V, H], bias [V] or absent, targets [N]. Works through the
// rows in chunks, so that the [N, V] matrix is never held whole twice.
XentOut projected_xent(const Var& hidden, const Var& w, const Var& bias, const std::vector<int32_t>& targets,
                       const XentOptions& options = {});

}  // namespace lookback::ops
