// The plain ops: what experiments need, and the oracle of the fused ones.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lookback/autograd/var.h"
#include "lookback/base/rng.h"

namespace lookback::ops {

using RowIds = std::shared_ptr<const std::vector<int32_t>>;
inline RowIds row_ids(std::vector<int32_t> ids) { return std::make_shared<const std::vector<int32_t>>(std::move(ids)); }

// Elementwise, same shapes.
Var add(const Var& a, const Var& b);
Var mul(const Var& a, const Var& b);
Var scale(const Var& x, double factor);
Var tanh(const Var& x);
Var sigmoid(const Var& x);
Var relu(const Var& x);
Var elu(const Var& x);  // x, below 0 e^x - 1   (Clevert et al. 2016)

// Bahdanau's readout: y[n,k] = max(x[n,2k], x[n,2k+1]). x [N, 2C] -> [N, C]   (Goodfellow et al. 2013)
Var maxout(const Var& x);

// y[n,c] = addend[n,c] + x[n,c] * sigmoid(x[n,C+c]). x [N, 2C], addend [N, C] or absent -> [N, C]   (Dauphin et al.
// 2017)
Var glu(const Var& x, const Var& addend = {});

// gamma * (x - mean) / sqrt(var + epsilon) + beta over the last dimension. x [N, C], gamma and beta [C].
Var layer_norm(const Var& x, const Var& gamma, const Var& beta, double epsilon = 1e-5);

// Zeroes elements with probability p and scales the others by 1/(1-p). x [N, C].
// With mask_rows [N], row n takes the mask of row mask_rows[n]: the same mask
// for all steps of a sequence (Gal and Ghahramani 2016).
Var dropout(const Var& x, double p, const Stream& stream, const RowIds& mask_rows = nullptr);

// out[n] = x[ids[n]]; a negative id gives zeros. x [R, C] -> [N, C]. Embedding is this on a table.
Var gather_rows(const Var& x, const RowIds& ids);

// Rows [begin, end) of x, sharing its memory.
Var slice_rows(const Var& x, int64_t begin, int64_t end);
// Parts one below the other, [*, C] or [*]; all have the same columns.
Var concat_rows(const std::vector<Var>& parts);
// Parts side by side; all have the same rows. With ids [N], row n is made of row ids[n] of each.
Var concat_columns(const std::vector<Var>& parts, const RowIds& ids = nullptr);

// The same elements under another shape, sharing x's memory.
Var reshape(const Var& x, const Shape& shape);
// y[n,c] = factors[n] * x[n,c]. x [N, C], factors [N], a constant.
Var scale_rows(const Var& x, const Tensor& factors);
// y[n, t*C + c] = sum over u <= t of x[n, u*C + c]: sums along T steps of C columns each, T * C those of x.
Var running_sums(const Var& x, int64_t C);

// sum of x * weights, as one element: gives tests uneven upstream gradients.
Var weighted_sum(const Var& x, const Tensor& weights);

}  // namespace lookback::ops
