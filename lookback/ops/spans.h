// Rows over spans of their sentences: from what each row saw to what it is to see.
#pragma once

#include "lookback/autograd/var.h"
#include "lookback/ops/attention.h"

namespace lookback::ops {

// What x holds of each row's span in `from`, laid out over its span in `to`: cut where that is narrower, `outside`
// where it is wider. x [N, T * F] of from's spans, F numbers for each position -> [N, T * F] of to's; columns past a
// row's own span are 0. Both have the same rows of the same memory. Throws ShapeError.
Var respan(const Var& x, const Visible& from, const Visible& to, int64_t F = 1, double outside = 0);

// Of every row the first position of its sentence up to which half of its weight lies; where the weights are all zero,
// the first that it sees. weights [N, T], not negative. No gradient.
RowIds median_positions(const Var& weights, const Visible& visible);

}  // namespace lookback::ops
