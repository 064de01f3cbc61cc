#include "lookback/nn/recurrent.h"

namespace lookback {

ops::RecurrentWeights recurrent_weights(CellKind kind, int64_t I, int64_t H) {
  const int64_t G = gates_of(kind) * H;
  auto fresh = [](const Shape& s) { return Var::parameter(Tensor::zeros(s)); };
  return {fresh({G, I}), fresh({G, H}), fresh({G}), fresh({G})};
}

void recurrent_params(ParamVisitor& v, ops::RecurrentWeights& w, size_t layer, ops::Direction direction) {
  const std::string suffix = "_l" + std::to_string(layer) + (direction == ops::Direction::reverse ? "_reverse" : "");
  const bool lstm = w.w_hh.dim(0) == gates_of(CellKind::lstm) * w.w_hh.dim(1);
  v("weight_ih" + suffix, w.w_ih, lstm ? Role::lstm_input : Role::gru_input);
  v("weight_hh" + suffix, w.w_hh, lstm ? Role::lstm_recurrent : Role::gru_recurrent);
  v("bias_ih" + suffix, w.b_ih, lstm ? Role::lstm_bias : Role::gru_bias);
  v("bias_hh" + suffix, w.b_hh, lstm ? Role::lstm_recurrent_bias : Role::gru_bias);
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
