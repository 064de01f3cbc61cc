// Attention of a decoder: from its state and the encoder's outputs to weights over the source and their context.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/base/rng.h"
#include "lookback/nn/module.h"
#include "lookback/ops/attentive_lstm.h"

namespace lookback {

// What an attention remembers of the steps before, row by row; what it does not need is absent. Before the first step
// zeros, or all weight on the first position. Columns past a row's own sentence are zero.
struct AttentionState {
  Var weights;   // [N, T] of the last step
  Var coverage;  // [N, T] sum over all steps so far

  // Calls v(Var&) for every part, absent ones too.
  template <class V>
  void rows(V&& v) {
    v(weights), v(coverage);
  }
};

// Which parts of it are kept up.
struct Remembers {
  bool weights = false, coverage = false;
  bool starts_at_first = false;  // the weights before the first step: one for the first position
};

struct Attention {
  // What the source gives once, for all steps. keys [S, A], values [S, M]; or so many rows of each for every row of the
  // memory, those of one sentence together.
  struct Prepared {
    Var keys, values;
  };

  virtual ~Attention() = default;
  // memory [S, M]: the encoder's outputs, in sentences that lie so.
  virtual Prepared prepare(const Var& memory, const MemoryLayout& layout) const = 0;
  // One step: query [N, Q] -> context [N, M] and weights [N, T]. Without noise, as outside of training, it does what
  // prediction does.
  virtual ops::Attended attend(const Var& query, const Prepared& source, const ops::Visible& visible,
                               const AttentionState& before, Noise* noise) const = 0;
  virtual Remembers remembers() const { return {}; }
  // Whether its weights are the softmax of Attended::energies.
  virtual bool has_energies() const { return false; }
  // What the context is, in words.
  virtual const char* context_formula() const { return "sum of weight times memory"; }
  // The same as a formula, if it is of a form that whole decoder loops know.
  virtual std::optional<ops::ScoreForm> form() const { return {}; }
  virtual void params(ParamVisitor&) {}
};

// The state before the first step, one row for each sentence.
AttentionState first_state(const Remembers& remembers, const MemoryLayout& memory, Dtype dtype = Dtype::f32);
// The state after a step that attended with `weights`.
AttentionState next_state(const Remembers& remembers, const AttentionState& before, const Var& weights);
// For search, where the source may change between two steps: the same with T columns. No gradients.
AttentionState with_columns(AttentionState state, int64_t T);

struct LocationOptions {
  int64_t filters = 10;
  int64_t width = 15;
  int64_t window = 0;

  void fields(FieldVisitor& v) {
    v("filters", filters, "score = 'location': filters that the weights of the step before are convolved with")
        .range(1, 1024);
    v("width", width, "score = 'location': positions that a filter spans, half of them to each side").range(1, 10001);
    v("window", window,
      "score = 'location': a step sees so many positions to each side of the middle of the weights of the step before, "
      "which keeps it from jumping to a place that looks alike (Chorowski et al. 2015, windowing); 0: all positions")
        .range(0, 1 << 24);
  }
};

// Hard monotonic attention (Raffel et al. 2017). Training takes the expectation over all walks along the source; the
// noise makes it learn probabilities near 0 and 1. Prediction takes one walk, which stops where the probability is 1/2
// or more. So does the loss of held-out text, which has no noise: it is the likelihood of what search writes, so that
// the checkpoint it picks, perplexities and forced scores tell of the model that predicts. While the probabilities are
// not yet near 0 and 1, it is above the loss of training.
struct MonotonicOptions {
  double bias = -1;
  double noise = 1;

  void fields(FieldVisitor& v) {
    v("bias", bias,
      "score = 'monotonic': what is added to its energies, to begin with; below 0, and the further the longer sources "
      "are, so that at first some weight comes as far as their end")
        .range(-100, 100);
    v("noise", noise, "score = 'monotonic': deviation of the normal noise on its energies in training").range(0, 100);
  }
};

struct AttentionSizes {
  int64_t query, memory, attention;  // widths Q, M and A
  LocationOptions location = {};
  MonotonicOptions monotonic = {};
  int64_t heads = 4;  // of score 'multi_head'; a divisor of A
};

// The kinds there are, by name: dot, scaled_dot, general, concat, additive, location, coverage, monotonic, multi_head,
// uniform.
StringList attention_names();

// Throws ConfigError if there is no such kind or the sizes do not suit it.
std::unique_ptr<Attention> make_attention(const std::string& name, const AttentionSizes& sizes);

}  // namespace lookback
