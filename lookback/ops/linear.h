#pragma once

#include <optional>
#include <span>
#include <utility>

#include "lookback/autograd/var.h"

namespace lookback::ops {

struct LinearOptions {
  Var bias;    // [O]
  Var addend;  // [N, O] the product is added to this
  // The weight's columns to use, [begin, end); all of them by default. So one
  // weight over concatenated inputs can be applied to its parts.
  std::optional<std::pair<int64_t, int64_t>> columns;
};

// y = x w^T + bias + addend. x [N, I], w [O, I] -> [N, O]. Throws ShapeError.
// The weight's gradient is one product for all uses of w in the graph.
Var linear(const Var& x, const Var& w, const LinearOptions& options = {});

struct LinearTerm {
  Var x, w;                                                 // [N, I], [O, I]
  Var bias;                                                 // [O] or absent
  std::optional<std::pair<int64_t, int64_t>> columns = {};  // as above
};

// The sum of x w^T + bias of several x, added up in this order to `addend`, if any: the bits of as many calls of
// linear, but faster for few rows. All have the same N and O; there is at least one. Throws ShapeError.
Var linear_sum(std::span<const LinearTerm> terms, const Var& addend = {});

}  // namespace lookback::ops
