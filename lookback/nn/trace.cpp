#include "lookback/nn/trace.h"

#include "lookback/base/elementary.h"

namespace lookback {
namespace {

using Values = std::vector<float>;

float sigmoid(double x) { return static_cast<float>(1 / (1 + elementary::exp(-x))); }
float tanh(double x) { return static_cast<float>(1 - 2 / (1 + elementary::exp(2 * x))); }

// The k-th of equal parts of a row, through f.
template <class F>
Values part(const Values& row, size_t k, size_t parts, F&& f) {
  const size_t n = row.size() / parts;
  Values out;
  for (size_t i = k * n; i < (k + 1) * n; ++i) out.push_back(f(row[i]));
  return out;
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
    const Values gates = first_row(ops::linear_sum(terms, x_part));
    line("input gate", "i = sigmoid(W x + U h + b)", part(gates, 0, 4, sigmoid));
    line("forget gate", "f = sigmoid(W x + U h + b)", part(gates, 1, 4, sigmoid));
    line("candidate", "g = tanh(W x + U h + b)", part(gates, 2, 4, tanh));
    line("output gate", "o = sigmoid(W x + U h + b)", part(gates, 3, 4, sigmoid));
    line("cell before", "c", first_row(before.c));
    line("cell", "c' = f c + i g", first_row(after.c));
    line("state", "h' = o tanh(c')", first_row(after.h));
    return;
  }
  const Values x = first_row(terms.empty() ? x_part : ops::linear_sum(terms, x_part));
  const Values h = first_row(ops::linear(before.h, w.w_hh, {.bias = w.b_hh})), old = first_row(before.h);
  Values sum = x, candidate;
  for (size_t k = 0; k < sum.size(); ++k) sum[k] += h[k];
  const Values reset = part(sum, 0, 3, sigmoid), update = part(sum, 1, 3, sigmoid);
  for (size_t k = 0; k < old.size(); ++k)
    candidate.push_back(tanh(double{x[2 * old.size() + k]} + double{reset[k]} * h[2 * old.size() + k]));
  line("reset gate", "r = sigmoid(W x + U h + b)", reset);
  line("update gate", "z = sigmoid(W x + U h + b)", update);
  line("candidate", "n = tanh(W x + b + r (U h + b))", candidate);
  line("state before", "h", old);
  line("state", "h' = (1 - z) n + z h", first_row(after.h));
}

}  // namespace lookback
