// Gated residual networks (Lim et al. 2021, "Temporal fusion transformers for interpretable multi-horizon time series
// forecasting", section 4.1), and the weights of variables that they give (4.2).
#pragma once

#include <vector>

#include "lookback/nn/linear.h"
#include "lookback/nn/regularise.h"

namespace lookback {

// Rows that a network reads, and its dropout over them.
struct GatedRun {
  ops::RowIds series;  // [N] of each row, its series: whose context it has, and whose mask if dropout is locked
  const DropoutOptions& dropout;
  Noise* noise;  // null: no dropout
};

// norm(addend + value * sigmoid(gate)), both linear in x after its dropout. x [N, I], addend [N, C] -> [N, C].
class GatedAddNorm {
 public:
  GatedAddNorm() = default;
  GatedAddNorm(int64_t I, int64_t C) : gate_(I, 2 * C, Linear::Bias::yes), norm_(C) {}
  Var operator()(const Var& x, const Var& addend, const GatedRun& run) const;
  // gate.weight and .bias, [2C, I] the value's rows first; norm.gamma and .beta
  void params(ParamVisitor& v) { v("gate", gate_), v("norm", norm_); }

 private:
  Linear gate_;
  LayerNorm norm_;
};

// GRN(x, c): GatedAddNorm of W ELU(U x + V c), over x itself or, where its width differs from the output's, over a
// linear map of it. x may be in parts side by side.
class GatedResidual {
 public:
  struct Sizes {
    int64_t input, hidden, output;
    int64_t context = 0;  // 0: there is none
  };
  GatedResidual() = default;
  explicit GatedResidual(const Sizes& n);
  // parts [N, *] of n.input columns in all, context [series, n.context] or absent -> [N, n.output]
  Var operator()(const std::vector<Var>& parts, const Var& context, const GatedRun& run) const;
  // fc1, context, fc2, skip, gate, norm
  void params(ParamVisitor& v);

 private:
  Linear fc1_, context_, fc2_, skip_;
  GatedAddNorm output_;
};

// The sum of variables, each through a network of its own, by weights that another network has from all of them: the
// softmax of what GRN(all side by side, context) says.
class VariableSelection {
 public:
  VariableSelection() = default;
  // Of variables of C columns each. A single one has no weights, and no use for a context.
  VariableSelection(int64_t variables, int64_t C, bool with_context);
  struct Selected {
    Var x;        // [N, C]
    Var weights;  // [N, variables]; absent for a single one
  };
  // variables [N, C] each, context [series, C] or absent
  Selected operator()(const std::vector<Var>& variables, const Var& context, const GatedRun& run) const;
  // variables.0.fc1.weight, ..., weights.fc1.weight, ...
  void params(ParamVisitor& v);

 private:
  std::vector<GatedResidual> variables_;
  GatedResidual weights_;
};

}  // namespace lookback
