// A ragged batch of vectors, and the two orders its rows may have.
#pragma once

#include "lookback/autograd/var.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/layout.h"

namespace lookback {

enum class RowOrder {
  by_step,      // Ragged::steps: recurrences
  by_sequence,  // Ragged::memory: attention, convolution, pooling
};

struct Sequence {
  Var x;  // [N, C]; with `rows` [R, C]
  Ragged shape;
  RowOrder order;
  ops::RowIds rows = nullptr;  // [N]: row n is x[rows[n]], as of embeddings yet to be looked up
};

// The rows in the order wanted, [N, C]: x itself, or one gather.
Var rows_in(const Sequence& s, RowOrder wanted);
// Of the rows in the order wanted their ids in x, [N]; null if they are x.
ops::RowIds row_ids_in(const Sequence& s, RowOrder wanted);
inline Sequence in_order(const Sequence& s, RowOrder wanted) { return {rows_in(s, wanted), s.shape, wanted}; }

}  // namespace lookback
