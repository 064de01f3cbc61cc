#pragma once

#include <vector>

#include "lookback/autograd/var.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/layout.h"

namespace lookback::ops {

// The parameters of one direction of one layer, as torch.nn.LSTM and torch.nn.GRU keep them:
// G = 4 gates (i f g o) for the LSTM, 3 (r z n) for the GRU.
struct RecurrentWeights {
  Var w_ih;  // [G*H, I]
  Var w_hh;  // [G*H, H]
  Var b_ih;  // [G*H]
  Var b_hh;  // [G*H]
};

enum class Direction { forward, reverse };  // reverse runs each sequence from its own end

struct RecurrentOut {
  Var h;       // [N, H] every state
  Var last_h;  // [B, H] the last state of each sequence
  Var last_c;  // [B, H] LSTM only
};

struct RecurrentState {
  Var h;  // [B, H]; absent means zeros
  Var c;  // [B, H]; LSTM only
};

struct RecurrentOptions {
  Direction direction = Direction::forward;
  // Gradient checkpointing (Chen et al. 2016): gates are not kept, and cells of every so many steps only; backward
  // computes the others again, to the same bits. 0: all are kept.
  int64_t checkpoint = 0;
  // Truncated backpropagation through time (Williams and Peng 1990): no gradient passes from step k * bptt of a
  // sequence to the state of the step before it, or in reverse the other way. 0: it passes everywhere.
  int64_t bptt = 0;
};

// A whole sequence. x [N, I] in packed rows of `steps`. Throws ShapeError.
// LSTM: c' = f c + i g, h' = o tanh(c')   (Gers et al. 2000, as torch.nn.LSTM)
RecurrentOut lstm(const Var& x, const Steps& steps, const RecurrentWeights& w, const RecurrentOptions& options = {},
                  const RecurrentState& initial = {});
// GRU: n = tanh(xn + r hn), h' = (1-z) n + z h   (Cho et al. 2014, as torch.nn.GRU)
RecurrentOut gru(const Var& x, const Steps& steps, const RecurrentWeights& w, const RecurrentOptions& options = {},
                 const RecurrentState& initial = {});

// Layers over the same rows that do not see each other, as the two directions of one: the bits of each alone. They run
// side by side where there are no more threads than layers: none then waits for another at every step.
struct RecurrentLayer {
  RecurrentWeights w;
  RecurrentOptions options = {};
  RecurrentState initial = {};
};
std::vector<RecurrentOut> lstm_layers(const Var& x, const Steps& steps, const std::vector<RecurrentLayer>& layers);
std::vector<RecurrentOut> gru_layers(const Var& x, const Steps& steps, const std::vector<RecurrentLayer>& layers);

// For inference with rows that come again, as words do: what the input adds to the gates, computed once for each.
// x [R, I] -> [R, G*H], bits of what lstm and gru compute; a constant.
Var lstm_input_part(const Var& x, const RecurrentWeights& w);
Var gru_input_part(const Var& x, const RecurrentWeights& w);

// The input of a layer by these parts: that of row n is part[rows[n]].
struct InputParts {
  Var part;     // [R, G*H]
  RowIds rows;  // [N]
};
// A layer over rows that these parts are of.
struct LayerOfParts {
  InputParts x;
  RecurrentWeights w;
  Direction direction = Direction::forward;
  RecurrentState initial = {};
};
// The bits of lstm and gru, as constants; side by side likewise.
std::vector<RecurrentOut> lstm_from_parts(const std::vector<LayerOfParts>& layers, const Steps& steps);
std::vector<RecurrentOut> gru_from_parts(const std::vector<LayerOfParts>& layers, const Steps& steps);

// One step after its products. gates [N, 4H] = x Wx^T + h Wh^T + biases, c [N, H].
struct LstmCellOut {
  Var h, c;  // [N, H]
};
LstmCellOut lstm_cell(const Var& gates, const Var& c);

// One step after its products. gates_x [N, 3H] = x Wx^T + bx, gates_h [N, 3H] = h Wh^T + bh, h [N, H].
Var gru_cell(const Var& gates_x, const Var& gates_h, const Var& h);

}  // namespace lookback::ops
