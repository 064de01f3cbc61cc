#include "lookback/nn/gated_residual.h"

#include <numeric>

#include "lookback/ops/attention.h"

namespace lookback {
namespace {

// The linear map of parts side by side, without putting them there.
Var map_parts(const Linear& map, const std::vector<Var>& parts, const Var& addend) {
  std::vector<ops::LinearTerm> terms;
  int64_t first = 0;
  for (const Var& x : parts) {
    terms.push_back(map.part(x, first));
    first += x.dim(1);
  }
  terms[0].bias = map.bias;
  return ops::linear_sum(terms, addend);
}

}  // namespace

Var GatedAddNorm::operator()(const Var& x, const Var& addend, const GatedRun& run) const {
  const Var kept = DropoutSite(run.dropout, run.noise).sequence(x, run.series);
  return ops::layer_norm(ops::glu(gate_(kept), addend), norm_.gamma, norm_.beta);
}

GatedResidual::GatedResidual(const Sizes& n)
    : fc1_(n.input, n.hidden, Linear::Bias::yes),
      fc2_(n.hidden, n.hidden, Linear::Bias::yes),
      output_(n.hidden, n.output) {
  if (n.context) context_ = Linear(n.context, n.hidden, Linear::Bias::no);
  if (n.input != n.output) skip_ = Linear(n.input, n.output, Linear::Bias::yes);
}

Var GatedResidual::operator()(const std::vector<Var>& parts, const Var& context, const GatedRun& run) const {
  const Var of_context = context ? ops::gather_rows(context_(context), run.series) : Var();
  const Var hidden = fc2_(ops::elu(map_parts(fc1_, parts, of_context)));
  return output_(hidden, skip_.weight ? map_parts(skip_, parts, {}) : parts[0], run);
}

void GatedResidual::params(ParamVisitor& v) {
  v("fc1", fc1_), v("context", context_), v("fc2", fc2_), v("skip", skip_);
  output_.params(v);
}

VariableSelection::VariableSelection(int64_t variables, int64_t C, bool with_context) {
  for (int64_t k = 0; k < variables; ++k) variables_.push_back(GatedResidual({.input = C, .hidden = C, .output = C}));
  if (variables > 1)
    weights_ =
        GatedResidual({.input = variables * C, .hidden = C, .output = variables, .context = with_context ? C : 0});
}

VariableSelection::Selected VariableSelection::operator()(const std::vector<Var>& variables, const Var& context,
                                                          const GatedRun& run) const {
  const int64_t V = std::ssize(variables), N = variables[0].dim(0), C = variables[0].dim(1);
  std::vector<Var> own;
  for (size_t k = 0; k < variables.size(); ++k) own.push_back(variables_[k]({variables[k]}, {}, run));
  if (V == 1) return {own[0], {}};
  // The variables of a row are a sentence that the row attends to.
  std::vector<int32_t> rows(static_cast<size_t>(N));
  std::iota(rows.begin(), rows.end(), 0);
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>(rows.size(), V)), ops::row_ids(std::move(rows))};
  const auto attended =
      ops::attend(weights_(variables, context, run), ops::reshape(ops::concat_columns(own), {N * V, C}), visible);
  return {attended.context, attended.weights};
}

void VariableSelection::params(ParamVisitor& v) {
  v("variables", variables_);
  if (variables_.size() > 1) v("weights", weights_);
}

}  // namespace lookback
