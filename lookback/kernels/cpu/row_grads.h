// What one row of a recurrent step's backward reads and writes.
#pragma once

namespace lookback::kernels {

struct LstmRowGrad {
  const float* gates;    // [4H] activations
  const float* c;        // [H] cell before, or null for zeros
  const float* c_next;   // [H]
  const float* dh;       // [H] or null
  const float* dh_more;  // [H] or null: added to dh
  const float* dc;       // [H] or null
  float* dgates;         // [4H] written
  float* dc_out;         // [H] or null, written: gradient of the cell before; may be dc
};

struct GruRowGrad {
  const float* gates;          // [3H] activations
  const float* hn;             // [H] recurrent part of n
  const float* h;              // [H] state before, or null for zeros
  const float* dh;             // [H]
  const float* dh_more;        // [H] or null: added to dh
  float *dgates_x, *dgates_h;  // [3H] written
  float* dh_out;               // [H] or null, written: the direct part of the gradient of the state before; may be dh
};

}  // namespace lookback::kernels
