#include <cmath>

#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {

template <class R>
void dropout(const Dropout<R>& a) {
  // A 32-bit word keeps its element when it is at least p * 2^32.
  const uint64_t threshold = static_cast<uint64_t>(a.p * 0x1p32);
  const R scale = static_cast<R>(1 / (1 - a.p));
  for (int64_t n = 0; n < a.N; ++n) {
    const int64_t mask_row = a.row_of ? a.row_of[n] : n;
    for (int64_t k = 0; k < a.C; ++k) {
      const uint64_t at = static_cast<uint64_t>(mask_row * a.C + k);
      const bool keep = a.stream.words(at / 4)[at % 4] >= threshold;
      const R y = keep ? a.x[n * a.C + k] * scale : 0;
      R& out = a.y[n * a.C + k];
      out = a.accumulate ? out + y : y;
    }
  }
}

template <class R>
R sigmoid(R x) {
  return 1 / (1 + std::exp(-x));
}

template <class R>
void unary(const UnaryForward<R>& a) {
  for (int64_t k = 0; k < a.size; ++k) {
    const R x = a.x[k];
    switch (a.kind) {
      case Unary::tanh:
        a.y[k] = std::tanh(x);
        break;
      case Unary::sigmoid:
        a.y[k] = sigmoid(x);
        break;
      case Unary::relu:
        a.y[k] = x < 0 ? 0 : x;
        break;
      case Unary::elu:
        a.y[k] = x > 0 ? x : std::expm1(x);
        break;
    }
  }
}

template <class R>
void unary_backward(const UnaryBackward<R>& a) {
  for (int64_t k = 0; k < a.f.size; ++k) {
    const R y = a.f.y[k];
    R slope = 0;
    switch (a.f.kind) {
      case Unary::tanh:
        slope = 1 - y * y;
        break;
      case Unary::sigmoid:
        slope = y * (1 - y);
        break;
      case Unary::relu:
        slope = y > 0 ? 1 : 0;
        break;
      case Unary::elu:
        slope = y > 0 ? 1 : 1 + y;
        break;  // e^x = 1 + y
    }
    a.dx[k] += a.dy[k] * slope;
  }
}

template <class R>
void glu(const Glu<R>& a) {
  for (int64_t n = 0; n < a.N; ++n) {
    const R *value = a.x + n * 2 * a.C, *gate = value + a.C;
    for (int64_t c = 0; c < a.C; ++c)
      a.y[n * a.C + c] = (a.addend ? a.addend[n * a.C + c] : 0) + value[c] * sigmoid(gate[c]);
  }
}

template <class R>
void glu_backward(const GluBackward<R>& a) {
  const int64_t C = a.f.C;
  for (int64_t n = 0; n < a.f.N; ++n) {
    const R *value = a.f.x + n * 2 * C, *gate = value + C;
    R *dvalue = a.dx + n * 2 * C, *dgate = dvalue + C;
    for (int64_t c = 0; c < C; ++c) {
      // forward: y = addend + value * sigmoid(gate)
      const R dy = a.dy[n * C + c], s = sigmoid(gate[c]);
      const R dv = dy * s, dg = dy * value[c] * s * (1 - s);
      dvalue[c] = a.accumulate ? dvalue[c] + dv : dv;
      dgate[c] = a.accumulate ? dgate[c] + dg : dg;
    }
  }
}

template <class R>
void gather_rows(const GatherRows<R>& a) {
  for (int64_t n = 0; n < a.N; ++n)
    for (int64_t k = 0; k < a.C; ++k) a.out[n * a.C + k] = a.ids[n] < 0 ? 0 : a.table[a.ids[n] * a.C + k];
}

template <class R>
void scatter_rows(const ScatterRows<R>& a) {
  for (int64_t n = 0; n < a.N; ++n)
    if (a.ids[n] >= 0)
      for (int64_t k = 0; k < a.C; ++k) a.table[a.ids[n] * a.C + k] += a.rows[n * a.C + k];
}

template <class R>
void axpy(const Axpy<R>& a) {
  for (int64_t k = 0; k < a.size; ++k) a.y[k] += a.alpha * a.x[k];
}

template <class R>
void column_sums(const ColumnSums<R>& a) {
  for (int64_t n = 0; n < a.N; ++n)
    for (int64_t k = 0; k < a.C; ++k) a.sums[k] += a.x[n * a.ldx + k];
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(dropout, Dropout)
LOOKBACK_REF_INSTANCES(unary, UnaryForward)
LOOKBACK_REF_INSTANCES(unary_backward, UnaryBackward)
LOOKBACK_REF_INSTANCES(glu, Glu)
LOOKBACK_REF_INSTANCES(glu_backward, GluBackward)
LOOKBACK_REF_INSTANCES(gather_rows, GatherRows)
LOOKBACK_REF_INSTANCES(scatter_rows, ScatterRows)
LOOKBACK_REF_INSTANCES(axpy, Axpy)
LOOKBACK_REF_INSTANCES(column_sums, ColumnSums)
