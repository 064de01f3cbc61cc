// The numbers of one decoder step, for people who want to follow it.
#pragma once

#include <string>
#include <vector>

#include "lookback/nn/recurrent.h"

namespace lookback {

struct StepTrace {
  struct Line {
    std::string name, formula;  // "forget gate", "f = sigmoid(W x + U h + b)"
    std::vector<float> values;
  };
  std::vector<Line> cells;  // gates and states, layer after layer
  // Of each source position; empty without attention, energies also where several heads have their own.
  std::vector<float> energies, weights;
  std::vector<float> outer_weights;  // of each part of the outer memory; empty without attention to it
  Line context, readout;
};

// The first row of a matrix.
std::vector<float> first_row(const Var& x);

// Appends the gates of a cell, which are computed again from what it read (see cell_step), and its new state.
// `layer` is written behind each name; "" where there is one alone.
void trace_cell(StepTrace& trace, const std::string& layer, CellKind kind, const ops::RecurrentWeights& w,
                std::vector<ops::LinearTerm> terms, const Var& x_part, const CellState& before, const CellState& after);

}  // namespace lookback
