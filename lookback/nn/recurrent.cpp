#include "lookback/nn/recurrent.h"

namespace lookback {

ops::RecurrentWeights recurrent_weights(CellKind kind, int64_t I, int64_t H) {
  const int64_t G = gates_of(kind) * H;
  auto fresh = [](const Shape& s) { return Var::parameter(Tensor::zeros(s)); };
  return {fresh({G, I}), fresh({G, H}), fresh({G}), fresh({G})};
}

void recurrent_params(ParamVisitor& v, ops::RecurrentWeights& w, size_t layer, ops::Direction direction) {
  const std::string suffix = "_l" + std::to_string(layer) + (direction == ops::Direction::reverse ? "_reverse" : "");
  v("weight_ih" + suffix, w.w_ih);
  v("weight_hh" + suffix, w.w_hh);
  v("bias_ih" + suffix, w.b_ih);
  v("bias_hh" + suffix, w.b_hh);
}

CellState cell_step(CellKind kind, const ops::RecurrentWeights& w, const Var& x_part, const CellState& before) {
  return cell_step(kind, w, {}, x_part, before);
}

CellState cell_step(CellKind kind, const ops::RecurrentWeights& w, std::vector<ops::LinearTerm> terms,
                    const Var& x_part, const CellState& before) {
  if (kind == CellKind::gru) {
    const Var x = terms.empty() ? x_part : ops::linear_sum(terms, x_part);
    return {ops::gru_cell(x, ops::linear(before.h, w.w_hh, {.bias = w.b_hh}), before.h), Var()};
  }
  terms.push_back({before.h, w.w_hh, w.b_hh});
  const auto out = ops::lstm_cell(ops::linear_sum(terms, x_part), before.c);
  return {out.h, out.c};
}

}  // namespace lookback
