// From rows of sequences to one row for each sequence. Averages by weights are attend() of ops/attention.h.
#pragma once

#include "lookback/autograd/var.h"
#include "lookback/ops/layout.h"

namespace lookback::ops {

// out[s,c] = the largest x[t,c] of sequence s; of equals the first has the gradient; zeros for an empty sequence.
// x [S, C] by sequence -> [B, C].
Var max_rows(const Var& x, const MemoryLayout& memory);

// sum over sequences of |A A^T - I|^2, as one element, for the weights A [hops, its length] of each: what makes the
// hops look at different places (Lin et al. 2017, "A structured self-attentive sentence embedding", P). weights
// [B * hops, T], the hops of a sequence one after the other; columns past a sequence's own length count as zeros. An
// empty sequence counts nothing.
Var hops_penalty(const Var& weights, int64_t hops, const MemoryLayout& memory);

}  // namespace lookback::ops
