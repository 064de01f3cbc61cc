// LSTM (Hochreiter and Schmidhuber 1997; forget gate by Gers et al. 2000), as torch.nn.LSTM computes it.
#include <algorithm>
#include <cmath>

#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {
namespace {

template <class R>
R sigmoid(R x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

template <class R>
void lstm_cell(const LstmCell<R>& a) {
  const int64_t H = a.H;
  for (int64_t n = 0; n < a.N; ++n) {
    R* g = a.gates + n * 4 * H;
    for (int64_t k = 0; k < H; ++k) {
      const R i = sigmoid(g[k]), f = sigmoid(g[H + k]), u = std::tanh(g[2 * H + k]), o = sigmoid(g[3 * H + k]);
      g[k] = i, g[H + k] = f, g[2 * H + k] = u, g[3 * H + k] = o;
      const R c = f * a.c[n * H + k] + i * u;
      a.c_next[n * H + k] = c;
      a.h_next[n * H + k] = o * std::tanh(c);
    }
  }
}

template <class R>
void lstm_cell_backward(const LstmCellBackward<R>& a) {
  const int64_t H = a.f.H;
  for (int64_t n = 0; n < a.f.N; ++n) {
    const R* g = a.f.gates + n * 4 * H;
    R* dg = a.dgates + n * 4 * H;
    for (int64_t k = 0; k < H; ++k) {
      const int64_t at = n * H + k;
      const R i = g[k], f = g[H + k], u = g[2 * H + k], o = g[3 * H + k];
      const R dh = a.dh_next ? a.dh_next[at] : 0;
      // forward: h' = o * tanh(c')
      const R tc = std::tanh(a.f.c_next[at]);
      const R dc = (a.dc_next ? a.dc_next[at] : 0) + dh * o * (1 - tc * tc);
      // forward: o = sigmoid(g[3H+k])
      dg[3 * H + k] = dh * tc * o * (1 - o);
      // forward: c' = f * c + i * u
      dg[k] = dc * u * i * (1 - i);
      dg[H + k] = dc * a.f.c[at] * f * (1 - f);
      dg[2 * H + k] = dc * i * (1 - u * u);
      if (a.dc) a.dc[at] = dc * f;
    }
  }
}

template <class R>
void lstm_forward(const LstmForward<R>& a) {
  const int64_t T = a.steps.T, H = a.H;
  for (int64_t s = 0; s < T; ++s) {
    const int64_t t = a.reverse ? T - 1 - s : s, before = a.reverse ? t + 1 : t - 1;
    const int64_t rows = a.steps.alive(t), begin = a.steps.begin[t];
    // Rows that ran at the step before go on from there; the others start now.
    const int64_t going = s == 0 ? 0 : std::min(rows, a.steps.alive(before));
    R *c0 = a.scratch, *gates = a.gates + begin * 4 * H, *c = a.c + begin * H;
    for (int64_t n = 0; n < rows * H; ++n) c0[n] = a.c0 ? a.c0[n] : 0;
    if (going && !a.parts.rows) std::copy_n(a.c + a.steps.begin[before] * H, going * H, c0);
    if (a.parts.rows) {
      gates = a.gates, c = a.c;
      for (int64_t n = 0; n < rows; ++n)
        std::copy_n(a.parts.rows + a.parts.of_row[begin + n] * 4 * H, 4 * H, gates + n * 4 * H);
      std::copy_n(c, rows * H, c0);
    }
    if (going) matmul(product_of(going, a.h + a.steps.begin[before] * H, a.wh, gates, true));
    if (a.h0) matmul(product_of(rows - going, a.h0 + going * H, a.wh, gates + going * 4 * H, true));
    lstm_cell<R>({rows, H, gates, c0, a.h + begin * H, c});
  }
}

template <class R>
void lstm_backward(const LstmBackward<R>& a) {
  const PackedSteps& steps = a.f.steps;
  const int64_t T = steps.T, H = a.f.H, B = steps.B();
  // The carries hold, row by row, what flows into the last h and c of a sequence
  // until the walk reaches it, and from then on what flows from step to step.
  for (int64_t n = 0; n < B * H; ++n) {
    a.dh_carry[n] = a.dh_last ? a.dh_last[n] : 0;
    a.dc_carry[n] = a.dc_last ? a.dc_last[n] : 0;
  }
  for (int64_t s = T - 1; s >= 0; --s) {
    const int64_t t = a.f.reverse ? T - 1 - s : s, before = a.f.reverse ? t + 1 : t - 1;
    const int64_t rows = steps.alive(t), begin = steps.begin[t];
    const int64_t going = s == 0 ? 0 : std::min(rows, steps.alive(before));
    for (int64_t n = 0; n < rows * H; ++n) {
      if (a.dh) a.dh_carry[n] += a.dh[begin * H + n];
      a.f.scratch[n] = n < going * H ? a.f.c[steps.begin[before] * H + n] : a.f.c0 ? a.f.c0[n] : 0;
    }
    R* dgates = a.dgates + begin * 4 * H;
    lstm_cell_backward<R>({.f = {rows, H, a.f.gates + begin * 4 * H, a.f.scratch, nullptr, a.f.c + begin * H},
                           .dh_next = a.dh_carry,
                           .dc_next = a.dc_carry,
                           .dgates = dgates,
                           .dc = a.dc_carry});
    // forward: gates += h Wh^T
    matmul(transposed_product_of<R>(rows, dgates, a.f.wh, a.dh_carry, false));
  }
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(lstm_cell, LstmCell)
LOOKBACK_REF_INSTANCES(lstm_cell_backward, LstmCellBackward)
LOOKBACK_REF_INSTANCES(lstm_forward, LstmForward)
LOOKBACK_REF_INSTANCES(lstm_backward, LstmBackward)
