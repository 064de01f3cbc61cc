// Private to ops: the states that the steps of a recurrence start from.
#pragma once

#include <vector>

#include "lookback/ops/internal.h"
#include "lookback/ops/recurrent.h"

namespace lookback::ops {

// Of every row, the row that holds the state it started from; -1 for the initial state.
std::vector<int32_t> rows_before(const Steps& steps, Direction direction);

// The state every row started from, [N, H]: what the recurrent weights were multiplied with. h [N, H] are
// all states; h0 [B, H] the initial ones, or empty for zeros.
template <class R>
Tensor states_before(const Steps& steps, Direction direction, const Tensor& h, const Tensor& h0);

// dw[:, columns] += dy^T before, where `before` are the states_before; if those of the first step are zeros, without
// it.
void add_recurrent_grad(const Var& w, Columns columns, const Steps& steps, Direction direction, const Tensor& before,
                        bool from_zeros, const Tensor& dy);

}  // namespace lookback::ops
