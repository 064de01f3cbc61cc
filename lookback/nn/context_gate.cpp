#include "lookback/nn/context_gate.h"

namespace lookback {
namespace {

Var one_minus(const Var& x) { return ops::add(ops::scale(x, -1), Var(Tensor::full(x.shape(), 1, x.dtype()))); }

}  // namespace

ContextGate::ContextGate(const std::string& kind, const Sizes& n) : kind_(kind) {
  using enum Linear::Bias;
  if (kind == "beta") beta_ = Linear(n.query, 1, yes);
  if (kind != "sentinel") return;
  from_input_ = Linear(n.embedding, n.query, yes), from_state_ = Linear(n.query, n.query, no);
  projected_ = Linear(n.query, n.memory, no);
  sentinel_ = Linear(n.query, n.attention, yes), query_ = Linear(n.query, n.attention, no);
  energy_ = Linear(n.attention, 1, no);
}

ops::Attended ContextGate::operator()(const ops::Attended& found, const Step& step, const ops::Visible& visible) const {
  if (!any()) return found;
  ops::Attended out = found;
  if (kind_ == "beta") {
    out.context = ops::mul_rows(found.context, ops::sigmoid(beta_(step.query)));
    return out;
  }
  check(static_cast<bool>(found.energies), "a sentinel is weighed against energies, and this attention has none");
  const Var open = ops::sigmoid(ops::add(from_input_(step.embedded), from_state_(step.h_before)));
  const Var s = ops::mul(open, ops::tanh(step.c));
  const Var z = energy_(ops::tanh(ops::add(sentinel_(s), query_(step.query))));
  const Var beta = ops::sigmoid(ops::add(z, ops::scale(ops::log_sum_exp(found.energies, visible), -1)));
  const Var rest = one_minus(beta);
  out.context = ops::add(ops::mul_rows(projected_(s), beta), ops::mul_rows(found.context, rest));
  out.weights = ops::mul_rows(found.weights, rest);
  return out;
}

std::string ContextGate::formula(const std::string& context) const {
  if (kind_ == "beta") return "beta * (" + context + ")";
  if (kind_ == "sentinel") return "beta * W s + (1 - beta) * (" + context + ")";
  return context;
}

void ContextGate::params(ParamVisitor& v) {
  v("beta", beta_), v("input", from_input_), v("state", from_state_), v("projected", projected_);
  v("sentinel", sentinel_), v("query", query_), v("energy", energy_);
}

}  // namespace lookback
