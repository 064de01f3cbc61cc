// Kernels that work on rows or elements: normalisation, dropout, activations, moving, adding and rounding. N rows of C.
#pragma once

#include <cstdint>

#include "lookback/base/rng.h"

namespace lookback::kernels {

// y = gamma * (x - mean) / sqrt(var + epsilon) + beta, over the last dimension   (Ba et al. 2016)
template <class R>
struct LayerNorm {
  int64_t N, C;
  R epsilon;
  const R *x, *gamma, *beta;
  R* y;
  R *mean, *inverse_std;  // [N]
};

template <class R>
struct LayerNormBackward {
  LayerNorm<R> f;
  const R* dy;
  R *dx, *dgamma, *dbeta;
};

// y = x * keep / (1-p). The mask of element k is word k of the stream; with row_of,
// that of row n is taken from row row_of[n] instead (one mask for all steps of a sequence).
template <class R>
struct Dropout {
  int64_t N, C;
  double p;
  Stream stream;
  const int32_t* row_of;  // [N] or null
  const R* x;
  R* y;  // y = mask * x, or y += mask * x when accumulate
  bool accumulate;
};

// Elementwise y = f(x).
enum class Unary { tanh, sigmoid, relu, elu };

template <class R>
struct UnaryForward {
  Unary kind;
  int64_t size;
  const R* x;
  R* y;
};

template <class R>
struct UnaryBackward {
  UnaryForward<R> f;
  const R* dy;
  R* dx;
};

// y[n,c] = addend[n,c] + x[n,c] * sigmoid(x[n,C+c])   (Dauphin et al. 2017, gated linear units)
template <class R>
struct Glu {
  int64_t N, C;
  const R* x;       // [N, 2C]
  const R* addend;  // [N, C] or null
  R* y;             // [N, C]
};

template <class R>
struct GluBackward {
  Glu<R> f;
  const R* dy;
  R* dx;            // [N, 2C]; the addend's gradient is dy itself
  bool accumulate;  // else dx is overwritten
};

// out[n] (+)= table[ids[n]]; negative ids give zeros.
template <class R>
struct GatherRows {
  int64_t N, C;
  const int32_t* ids;
  const R* table;
  R* out;
};

// table[ids[n]] += rows[n], in the order of n.
template <class R>
struct ScatterRows {
  int64_t N, C;
  const int32_t* ids;
  const R* rows;
  R* table;
};

// y += alpha x
template <class R>
struct Axpy {
  int64_t size;
  R alpha;
  const R* x;
  R* y;
};

// sums[c] += sum_n x[n,c], rows in order.
template <class R>
struct ColumnSums {
  int64_t N, C, ldx;
  const R* x;
  R* sums;
};

// The scale of a row of int8 with this largest magnitude; 0 where there is next to nothing. A row of scale * q has
// the same scale and the same q again: (largest / 127) * 127 / 127 is largest / 127 for every float.
inline float int8_scale(float largest) { return largest < 1e-30f ? 0 : largest / 127; }

// q = x / scale, to the nearest, in [-127, 127]. A row that holds something not finite gets the scale NaN and zeros.
template <class R>
struct QuantiseRows {
  int64_t N, C;
  const R* x;     // [N, C]
  int8_t* q;      // [N, C]
  float* scales;  // [N]
};

}  // namespace lookback::kernels
