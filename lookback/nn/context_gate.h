// How much of its context a decoder takes at each step.
#pragma once

#include <string>

#include "lookback/nn/linear.h"
#include "lookback/ops/context_gate.h"

namespace lookback {

// "beta": context' = beta * context, beta = sigmoid(w . query + b)   (Xu et al. 2015, "Show, attend and tell", 4.2.1)
// "sentinel": context' = beta * W_p s + (1 - beta) * context, with a sentinel s that says what the decoder knows
// itself:
//   s = sigmoid(W_x embedded + W_h h_before + b) * tanh(c), beta = exp(z) / (exp(z) + sum_t exp(energy_t)),
//   z = v . tanh(W_s s + W_q query + b)   (Lu et al. 2017, "Knowing when to look"); weights' = (1 - beta) * weights
class ContextGate {
 public:
  ContextGate() = default;
  struct Sizes {
    int64_t query, embedding, memory, attention;
  };
  // kind: "none" leaves all as it is.
  ContextGate(const std::string& kind, const Sizes& sizes);

  bool any() const { return kind_ != "none"; }
  bool needs_cell() const { return kind_ == "sentinel"; }

  // What a step of the decoder has: the query attention was asked with, and of the top layer the state before and the
  // cell after; these and the embedding only where needs_cell().
  struct Step {
    Var query, embedded, h_before, c;
  };
  // context [N, M] and weights [N, T] as they are taken. Throws ShapeError for a sentinel without energies.
  ops::Attended operator()(const ops::Attended& found, const Step& step, const ops::Visible& visible) const;
  // What it makes of a context, in words; `context` is the formula without it.
  std::string formula(const std::string& context) const;
  void params(ParamVisitor& v);

 private:
  std::string kind_ = "none";
  Linear beta_;                     // [1, Q]
  Linear from_input_, from_state_;  // [Q, E], [Q, Q]
  Linear projected_;                // [M, Q]
  Linear sentinel_, query_;         // [A, Q] each
  Linear energy_;                   // [1, A]
};

}  // namespace lookback
