#pragma once

#include <cstdint>

#include "lookback/autograd/var.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/layout.h"

namespace lookback::ops {

// The memory rows that each query row may attend to: positions begin[n] .. end[n] (excluded) of its sentence, or all of
// it where there are no bounds. Rows may share a sentence: the steps of one target in training, the hypotheses of one
// beam in search.
struct Visible {
  MemoryLayout memory;
  RowIds sentence_of_row;       // [N]
  RowIds begin = {}, end = {};  // [N] both or neither

  int64_t N() const { return static_cast<int64_t>(sentence_of_row->size()); }
  // Columns of energies and weights.
  int64_t T() const { return begin || end ? longest_span() : memory.longest(); }
  int64_t longest_span() const;  // where there are bounds
  // The same with row n seeing of its positions only those at most half_width away from centre[n], which may lie
  // outside of them. centre [N]. Throws ShapeError.
  Visible within(const RowIds& centre, int64_t half_width) const;
  // Self-attention: the memory's rows are the queries too. Each sees its sentence, or in it itself and those before.
  static Visible each_other(const MemoryLayout& memory);
  static Visible causal(const MemoryLayout& memory);
};

// Energies are [N, T]. Column t of row n is position begin[n] + t of its sentence, so that a window costs its own width
// and not the sentence's; columns past a row's own span are 0. Bounds have to be 0 <= begin <= end <= the sentence's
// length: ShapeError.

// energies[n,t] = scale * query[n] . keys[t]. query [N, A], keys [S, A].
// Luong et al. 2015, "dot" and (with projected keys) "general".
Var score_dot(const Var& query, const Var& keys, const Visible& visible, double scale = 1);

// energies[n,t] = v . tanh(query[n] + keys[t]). query [N, A], keys [S, A], v [A].
// Bahdanau et al. 2015; also Luong's "concat", whose W [q; k] is Wq q + Wk k.
// With features, what each position is known by besides: v . tanh(query[n] + keys[t] + weight features[n,t]).
struct ScoreFeatures {
  Var x;       // [N, T*F]
  Var weight;  // [A, F]
};
Var score_additive(const Var& query, const Var& keys, const Var& v, const Visible& visible,
                   const ScoreFeatures& features = {});

// features[n,t,f] = sum_j filters[f,j] weights[n, t + j - width / 2] over the row's own span, zeros around it.
// weights [N, T] of the same spans, filters [F, width] -> [N, T*F]. Chorowski et al. 2015, F * alpha.
Var convolve_weights(const Var& weights, const Var& filters, const Visible& visible);

// sum of min(weights[n,t], coverage[n,t]), as one element. Both [N, T]. See et al. 2017, covloss.
Var coverage_loss(const Var& weights, const Var& coverage);

struct Attended {
  Var context;        // [N, M]
  Var weights;        // [N, T] over each row's own span; of a softmax they sum to 1, an empty span gives zeros
  Var energies = {};  // [N, T] what the weights came about from, such as by a softmax; perhaps absent
};

// Softmax over each row's own span, then the weighted sum of its values. values [S, M].
Attended attend(const Var& energies, const Var& values, const Visible& visible);

// The weighted sum alone: context[n] = sum_t weights[n,t] values[t]. weights [N, T], values [S, M] -> [N, M].
Var weigh(const Var& weights, const Var& values, const Visible& visible);

}  // namespace lookback::ops
