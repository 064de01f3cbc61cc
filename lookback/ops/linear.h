#pragma once

#include <optional>

#include "lookback/autograd/var.h"

namespace lookback::ops {

struct LinearOptions {
  Var bias;  // [O]
  Var onto;  // [N, O] the product is added to this
  // The weight's columns to use, [begin, end); all of them by default. So one
  // weight over concatenated inputs can be applied to its parts.
  std::optional<std::pair<int64_t, int64_t>> columns;
};

// y = x w^T + bias + onto. x [N, I], w [O, I] -> [N, O]. Throws ShapeError.
// The weight's gradient is one product for all uses of w in the graph.
Var linear(const Var& x, const Var& w, const LinearOptions& options = {});

}  // namespace lookback::ops
