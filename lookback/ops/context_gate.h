// What decoders do with a context besides reading it: how much of it they take, and how evenly they look.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/ops/attention.h"

namespace lookback::ops {

// y[n,c] = x[n,c] * factor[n]. x [N, C], factor [N, 1].
Var mul_rows(const Var& x, const Var& factor);

// log sum_t exp(energies[n,t]) over each row's own span. energies [N, T] -> [N, 1]; -1e30 of an empty span.
Var log_sum_exp(const Var& energies, const Visible& visible);

// sum over sequences b and positions t < lengths[b] of (1 - sum of weights[n,t] over the rows n of b)^2, as one
// element: asks that every position is looked at once (Xu et al. 2015, "doubly stochastic attention").
// weights [N, T], sequence_of_row [N], lengths [B] <= T.
Var doubly_stochastic_loss(const Var& weights, const std::vector<int32_t>& sequence_of_row,
                           const std::vector<int64_t>& lengths);

}  // namespace lookback::ops
