// LSTM and GRU layers with the parameter names of torch.nn.LSTM and torch.nn.GRU.
#pragma once

#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/nn/module.h"
#include "lookback/ops/linear.h"
#include "lookback/ops/recurrent.h"

namespace lookback {

enum class CellKind { lstm, gru };

inline CellKind cell_kind(const std::string& name) { return name == "gru" ? CellKind::gru : CellKind::lstm; }
constexpr const char* name_of(CellKind kind) { return kind == CellKind::gru ? "gru" : "lstm"; }
constexpr int64_t gates_of(CellKind kind) { return kind == CellKind::gru ? 3 : 4; }

// How the gradients of whole sequences go back through time.
struct ThroughTime {
  int64_t checkpoint = 0;
  int64_t bptt = 0;

  void fields(FieldVisitor& v) {
    v("checkpoint", checkpoint,
      "gradient checkpointing (Chen et al. 2016): training keeps the cells of every so many steps only, and computes "
      "gates and other cells again, to the same bits; least memory near the square root of the length; 0: keep all")
        .range(0, 1e9);
    v("bptt", bptt,
      "truncated backpropagation through time (Williams and Peng 1990): no gradient flows through the state over more "
      "than so many steps of a sequence, counted from its start; 0: over all of them")
        .range(0, 1e9);
  }
  ops::RecurrentOptions along(ops::Direction direction) const { return {direction, checkpoint, bptt}; }
};

// Fresh parameters of one direction of one layer.
ops::RecurrentWeights recurrent_weights(CellKind kind, int64_t I, int64_t H);

// Names w as layer k: weight_ih_lK, weight_hh_lK, bias_ih_lK, bias_hh_lK, with _reverse for the second direction.
void recurrent_params(ParamVisitor& v, ops::RecurrentWeights& w, size_t layer, ops::Direction direction);

// The state of one layer for N rows.
struct CellState {
  Var h;  // [N, H]
  Var c;  // [N, H]; absent in a GRU
};

// One step of one layer, from the input part of its gates: x_part [N, G*H] = x Wx^T + b_ih (+ anything).
CellState cell_step(CellKind kind, const ops::RecurrentWeights& w, const Var& x_part, const CellState& before);
// The same from what the input part is yet to be added up of: `terms` and x_part, which may be absent.
CellState cell_step(CellKind kind, const ops::RecurrentWeights& w, std::vector<ops::LinearTerm> terms,
                    const Var& x_part, const CellState& before);

}  // namespace lookback
