// GRU (Cho et al. 2014) in the variant of torch.nn.GRU: the reset gate acts after the product.
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
void gru_cell(const GruCell<R>& a) {
  const int64_t H = a.H;
  for (int64_t row = 0; row < a.N; ++row) {
    R* g = a.gates + row * 3 * H;
    const R* gh = a.gates_h + row * 3 * H;
    for (int64_t k = 0; k < H; ++k) {
      const R r = sigmoid(g[k] + gh[k]), z = sigmoid(g[H + k] + gh[H + k]);
      const R n = std::tanh(g[2 * H + k] + r * gh[2 * H + k]);
      g[k] = r, g[H + k] = z, g[2 * H + k] = n;
      a.h_next[row * H + k] = (1 - z) * n + z * a.h[row * H + k];
    }
  }
}

template <class R>
void gru_cell_backward(const GruCellBackward<R>& a) {
  const int64_t H = a.f.H;
  for (int64_t row = 0; row < a.f.N; ++row) {
    const R* g = a.f.gates + row * 3 * H;
    const R* gh = a.f.gates_h + row * 3 * H;
    R *dx = a.dgates_x + row * 3 * H, *dgh = a.dgates_h + row * 3 * H;
    for (int64_t k = 0; k < H; ++k) {
      const int64_t at = row * H + k;
      const R r = g[k], z = g[H + k], n = g[2 * H + k], dh = a.dh_next[at];
      // forward: h' = (1 - z) n + z h
      const R dz = dh * (a.f.h[at] - n) * z * (1 - z);
      const R dn = dh * (1 - z) * (1 - n * n);
      // forward: n = tanh(xn + r * hn)
      const R dr = dn * gh[2 * H + k] * r * (1 - r);
      dx[k] = dgh[k] = dr;
      dx[H + k] = dgh[H + k] = dz;
      dx[2 * H + k] = dn;
      dgh[2 * H + k] = dn * r;
      if (a.dh) a.dh[at] = dh * z;
    }
  }
}

// scratch: [B, 3H] for h Wh^T + bh, then [B, H] for the state before.
template <class R>
void gru_forward(const GruForward<R>& a) {
  const int64_t T = a.steps.T, H = a.H;
  R *gh = a.scratch, *h0 = a.scratch + a.steps.B() * 3 * H;
  for (int64_t s = 0; s < T; ++s) {
    const int64_t t = a.reverse ? T - 1 - s : s, before = a.reverse ? t + 1 : t - 1;
    const int64_t rows = a.steps.alive(t), begin = a.steps.begin[t];
    const int64_t going = s == 0 ? 0 : std::min(rows, a.steps.alive(before));
    for (int64_t n = 0; n < rows * H; ++n)
      h0[n] = n < going * H ? a.h[a.steps.begin[before] * H + n] : a.h0 ? a.h0[n] : 0;
    for (int64_t n = 0; n < rows; ++n) std::copy_n(a.bh, 3 * H, gh + n * 3 * H);
    matmul(product_of<R>(rows, h0, a.wh, gh, true));
    R* gates = a.gates + begin * 3 * H;
    if (a.parts.rows) {
      gates = a.gates;
      for (int64_t n = 0; n < rows; ++n)
        std::copy_n(a.parts.rows + a.parts.of_row[begin + n] * 3 * H, 3 * H, gates + n * 3 * H);
    }
    gru_cell<R>({rows, H, gates, gh, h0, a.h + begin * H});
    for (int64_t n = 0; n < rows && !a.parts.rows; ++n) std::copy_n(gh + n * 3 * H + 2 * H, H, a.hn + (begin + n) * H);
  }
}

template <class R>
void gru_backward(const GruBackward<R>& a) {
  const PackedSteps& steps = a.f.steps;
  const int64_t T = steps.T, H = a.f.H, B = steps.B();
  for (int64_t n = 0; n < B * H; ++n) a.dh_carry[n] = a.dh_last ? a.dh_last[n] : 0;
  for (int64_t s = T - 1; s >= 0; --s) {
    const int64_t t = a.f.reverse ? T - 1 - s : s, before = a.f.reverse ? t + 1 : t - 1;
    const int64_t rows = steps.alive(t), begin = steps.begin[t];
    const int64_t going = s == 0 ? 0 : std::min(rows, steps.alive(before));
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t at = begin + row;
      const R* g = a.f.gates + at * 3 * H;
      R *dx = a.dgates_x + at * 3 * H, *dgh = a.dgates_h + at * 3 * H;
      for (int64_t k = 0; k < H; ++k) {
        R& carry = a.dh_carry[row * H + k];
        const R dh = carry + a.dh[at * H + k];
        const R h = row < going ? a.f.h[(steps.begin[before] + row) * H + k] : a.f.h0 ? a.f.h0[row * H + k] : 0;
        const R r = g[k], z = g[H + k], n = g[2 * H + k];
        // forward: h' = (1 - z) n + z h
        const R dz = dh * (h - n) * z * (1 - z);
        const R dn = dh * (1 - z) * (1 - n * n);
        // forward: n = tanh(xn + r * hn)
        const R dr = dn * a.f.hn[at * H + k] * r * (1 - r);
        dx[k] = dgh[k] = dr;
        dx[H + k] = dgh[H + k] = dz;
        dx[2 * H + k] = dn;
        dgh[2 * H + k] = dn * r;
        carry = dh * z;
      }
    }
    // forward: gates_h = h Wh^T + bh
    matmul(transposed_product_of<R>(rows, a.dgates_h + begin * 3 * H, a.f.wh, a.dh_carry, true));
  }
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(gru_cell, GruCell)
LOOKBACK_REF_INSTANCES(gru_cell_backward, GruCellBackward)
LOOKBACK_REF_INSTANCES(gru_forward, GruForward)
LOOKBACK_REF_INSTANCES(gru_backward, GruBackward)
