// Kernels of LSTM and GRU. T time steps, B batch, N rows, H hidden width. Gate order: i f g o (LSTM), r z n (GRU).
#pragma once

#include <cstdint>

#include "lookback/kernels/products.h"

namespace lookback::kernels {

// A ragged batch, longest sequence first, as packed rows: step t holds rows
// begin[t] .. begin[t+1], one for each sequence that is still alive, in batch
// order. Row b of step t follows row b of step t-1.
struct PackedSteps {
  int64_t T;
  const int64_t* begin;  // [T+1]

  int64_t alive(int64_t t) const { return begin[t + 1] - begin[t]; }
  int64_t B() const { return T ? alive(0) : 0; }
  int64_t N() const { return begin[T]; }
};

// For states alone, of which nothing is kept for a backward: what the input adds to the gates of row n is row
// of_row[n] of `rows`, and no row of gates outlives its step.
template <class R>
struct Parts {
  const R* rows = nullptr;          // [any, gates * H]
  const int32_t* of_row = nullptr;  // [N]
};

template <class R>
struct LstmForward {
  PackedSteps steps;
  int64_t H;
  bool reverse;  // runs from each sequence's end to its start
  Weight<R> wh;  // [4H, H]
  const R* h0;   // [B, H] or null for zeros
  const R* c0;   // [B, H] or null for zeros
  R* gates;      // [N, 4H] in: x Wx^T + b; out: activations, which backward reads
  R* h;          // [N, H]
  R* c;          // [N, H]
  R* scratch;    // [B, H]
  // If there are any, gates is [B, 4H] scratch, and c [B, H] in: the first cells (instead of c0), out: the last ones.
  Parts<R> parts = {};
};

template <class R>
struct LstmBackward {
  LstmForward<R> f;  // what the forward saw and wrote
  const R* dh;       // [N, H] gradient of h, or null
  const R* dh_last;  // [B, H] gradient of each sequence's last h, or null
  const R* dc_last;  // [B, H] gradient of each sequence's last c, or null
  R* dgates;         // [N, 4H] written, not added: gradient before the nonlinearity
  R* dh_carry;       // [B, H] scratch; on return the gradient of h0, if there is one
  R* dc_carry;       // [B, H] scratch; on return the gradient of c0
};

// One step of LSTM after its products: gates holds x Wx^T + h Wh^T + b on entry, activations on exit.
template <class R>
struct LstmCell {
  int64_t N, H;
  R* gates;            // [N, 4H]
  const R* c;          // [N, H] cell before
  R *h_next, *c_next;  // [N, H]
};

template <class R>
struct LstmCellBackward {
  LstmCell<R> f;
  const R* dh_next;  // [N, H] or null
  const R* dc_next;  // [N, H] or null
  R* dgates;         // [N, 4H] written, not added
  R* dc;             // [N, H] or null; written, may be dc_next
};

// PyTorch's GRU: n = tanh(xn + r * hn), with hn = h Wn^T + bn; h' = (1 - z) n + z h.
template <class R>
struct GruForward {
  PackedSteps steps;
  int64_t H;
  bool reverse;
  Weight<R> wh;  // [3H, H]
  const R* bh;   // [3H]
  const R* h0;   // [B, H] or null for zeros
  R* gates;      // [N, 3H] in: x Wx^T + bx; out: activations r z n
  R* hn;         // [N, H] out: h Wn^T + bn
  R* h;          // [N, H]
  R* scratch;    // [B, 4H]
  // If there are any, gates is [B, 3H] scratch, and hn is not written.
  Parts<R> parts = {};
};

template <class R>
struct GruBackward {
  GruForward<R> f;
  const R* dh;       // [N, H]
  const R* dh_last;  // [B, H] or null
  R* dgates_x;       // [N, 3H] written: gradient of x Wx^T + bx
  R* dgates_h;       // [N, 3H] written: gradient of h Wh^T + bh
  R* dh_carry;       // [B, H] scratch; on return the gradient of h0, if there is one
};

template <class R>
struct GruCell {
  int64_t N, H;
  R* gates;          // [N, 3H] in: x part; out: activations r z n
  const R* gates_h;  // [N, 3H] h Wh^T + bh
  const R* h;        // [N, H] state before
  R* h_next;         // [N, H]
};

template <class R>
struct GruCellBackward {
  GruCell<R> f;
  const R* dh_next;  // [N, H]
  R* dgates_x;       // [N, 3H] written
  R* dgates_h;       // [N, 3H] written
  R* dh;             // [N, H] or null; written, may be dh_next
};

}  // namespace lookback::kernels
