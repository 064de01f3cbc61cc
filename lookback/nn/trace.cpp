#include "lookback/nn/trace.h"

#include "lookback/ops/basic.h"

namespace lookback {
namespace {

using Values = std::vector<float>;

// The k-th of equal parts of a row.
Values part(const Values& row, int64_t k, int64_t parts) {
  const int64_t n = std::ssize(row) / parts;
  return {row.begin() + k * n, row.begin() + (k + 1) * n};
}

}  // namespace

std::vector<float> first_row(const Var& x) {
  const float* row = x.value().data<float>();
  return {row, row + x.dim(1)};
}

void trace_cell(StepTrace& trace, const std::string& layer, CellKind kind, const ops::RecurrentWeights& w,
                std::vector<ops::LinearTerm> terms, const Var& x_part, const CellState& before,
                const CellState& after) {
  const auto line = [&](const char* name, const char* formula, Values values) {
    trace.cells.push_back({name + layer, formula, std::move(values)});
  };
  if (kind == CellKind::lstm) {
    terms.push_back({before.h, w.w_hh, w.b_hh});
    const Var gates = ops::linear_sum(terms, x_part);
    const Values open = first_row(ops::sigmoid(gates)), candidates = first_row(ops::tanh(gates));
    line("input gate", "i = sigmoid(W x + U h + b)", part(open, 0, 4));
    line("forget gate", "f = sigmoid(W x + U h + b)", part(open, 1, 4));
    line("candidate", "g = tanh(W x + U h + b)", part(candidates, 2, 4));
    line("output gate", "o = sigmoid(W x + U h + b)", part(open, 3, 4));
    line("cell before", "c", first_row(before.c));
    line("cell", "c' = f c + i g", first_row(after.c));
    line("state", "h' = o tanh(c')", first_row(after.h));
    return;
  }
  const Var x = terms.empty() ? x_part : ops::linear_sum(terms, x_part);
  const Var h = ops::linear(before.h, w.w_hh, {.bias = w.b_hh});
  const Values open = first_row(ops::sigmoid(ops::add(x, h))), reset = part(open, 0, 3), update = part(open, 1, 3);
  Values candidate = part(first_row(x), 2, 3);
  const Values of_state = part(first_row(h), 2, 3);
  for (size_t k = 0; k < candidate.size(); ++k) candidate[k] += reset[k] * of_state[k];
  candidate = first_row(ops::tanh(Var(Tensor::of({1, std::ssize(candidate)}, candidate))));
  line("reset gate", "r = sigmoid(W x + U h + b)", reset);
  line("update gate", "z = sigmoid(W x + U h + b)", update);
  line("candidate", "n = tanh(W x + b + r (U h + b))", candidate);
  line("state before", "h", first_row(before.h));
  line("state", "h' = (1 - z) n + z h", first_row(after.h));
}

}  // namespace lookback
