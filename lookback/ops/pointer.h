// Choosing among the positions of a sequence.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/ops/attention.h"
#include "lookback/ops/loss.h"

namespace lookback::ops {

// Cross-entropy of the softmax of each row's energies over its own span (pointer networks, Vinyals et al. 2015).
// energies [N, T] as scores give them; targets[n] is a column of the row's span. Throws ShapeError.
XentOut pointer_xent(const Var& energies, const Visible& visible, const std::vector<int32_t>& targets,
                     double scale = 1);

// The largest energy of each row's own span, [N, 1]; 0 where the span is empty. Of equals the first one has the
// gradient.
Var span_max(const Var& energies, const Visible& visible);

}  // namespace lookback::ops
