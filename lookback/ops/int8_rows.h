// Matrices as int8 with one scale for each row.
#pragma once

#include "lookback/tensor/tensor.h"

namespace lookback::ops {

// Row n of the matrix is scales[n] * rows[n].
struct Int8Rows {
  Tensor rows;    // i8 [N, C], in [-127, 127]
  Tensor scales;  // f32 [N]
};

// The nearest such matrix to x, f32 [N, C]: a row's scale is its largest magnitude / 127, NaN for one that is not
// finite. Doing it again to the floats of the result changes nothing.
Int8Rows to_int8_rows(const Tensor& x);

// As floats, f32 [N, C].
Tensor to_floats(const Int8Rows& x);

}  // namespace lookback::ops
