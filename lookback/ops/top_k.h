#pragma once

#include <optional>
#include <vector>

#include "lookback/autograd/var.h"

namespace lookback::ops {

// Of each row of a matrix, some columns, ascending, and what stands there.
struct RowColumns {
  Tensor values;                              // [N, C], -inf behind a row's own columns
  std::vector<std::vector<int32_t>> columns;  // [N]
};

// Columns of linear(x, w, {.bias = bias}) that hold the `count` largest values of each row, perhaps with others, and
// those values, bit for bit. Nothing where this takes longer than all of them: on processors without AVX2, in
// another precision than f32, for a w of few or of very long rows, and if very many columns may be among the largest.
// x f32 [N, I], w [O, I], bias [O] or absent. No gradients. Throws ShapeError.
std::optional<RowColumns> top_k(const Var& x, const Var& w, const Var& bias, int64_t count);

}  // namespace lookback::ops
