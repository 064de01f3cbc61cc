#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/nn/attention.h"
#include "lookback/nn/context_gate.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/linear.h"
#include "lookback/nn/projected_embedding_cache.h"
#include "lookback/nn/trace.h"

namespace lookback {

struct DecoderOptions {
  std::string cell = "lstm";
  int64_t layers = 1;
  int64_t hidden = 512;
  std::string attention = "luong";
  std::string gate = "none";
  bool input_feeding = true;
  std::string readout = "tanh";
  bool residual = false;
  bool layer_norm = false;
  std::string bridge = "tanh";
  ThroughTime time;

  void fields(FieldVisitor& v) {
    v("cell", cell, "recurrent unit").choices({"lstm", "gru"});
    v("layers", layers, "recurrent layers, one on the other").range(1, 64);
    v("hidden", hidden, "units").range(1, 65536);
    v("attention", attention,
      "luong: attend with the new state, after the cell (Luong et al. 2015); bahdanau: attend with the state before, "
      "and let the cell read the context (Bahdanau et al. 2015)")
        .choices({"luong", "bahdanau"});
    v("gate", gate,
      "how much of its context a step takes: none, all of it; beta, a share that the state says (Xu et al. 2015); "
      "sentinel, the more of what it knows itself the less it has to look (Lu et al. 2017): weights over the source "
      "then sum to less than 1")
        .choices({"none", "beta", "sentinel"});
    v("input_feeding", input_feeding, "give the readout of a step to the cell of the next (Luong et al. 2015)");
    v("readout", readout, "from state and context to output features: one tanh layer, or maxout over pairs")
        .choices({"tanh", "maxout"});
    v("residual", residual, "add each upper layer's input to its output");
    v("layer_norm", layer_norm, "normalise each layer's output (Ba et al. 2016)");
    v("bridge", bridge, "from the encoder's last states to the decoder's first: tanh layer, linear layer, copy, zeros")
        .choices({"tanh", "linear", "copy", "zeros"});
    time.fields(v);
  }
};

// Every kind of attention, and none.
StringList score_choices();

// Widths a decoder is built for.
struct DecoderSizes {
  int64_t embedding;  // E
  int64_t memory;     // M: width of the encoder's outputs
  int64_t attention;  // A: width of the scores that have one of their own
  int64_t readout;    // R: what the output layer reads
  LocationOptions location = {};
  MonotonicOptions monotonic = {};
  int64_t heads = 4;                 // of score multi_head
  int64_t outer = 0;                 // width of the rows of Encoded::outer; 0: it is not looked at
  std::string outer_score = "none";  // how these are compared with a state: a score that remembers nothing
};

// Where a decoder stands, row by row.
struct DecoderState {
  std::vector<CellState> layers;
  Var feed;  // [N, R] the last readout; only with input feeding
  AttentionState attention;

  // Calls v(Var&) for every part that has a row for each of the state's, absent ones too, in one order.
  template <class V>
  void rows(V&& v) {
    for (CellState& s : layers) v(s.h), v(s.c);
    v(feed);
    attention.rows(v);
  }
  // Row k of the result is row ids[k] of this.
  DecoderState gather(const ops::RowIds& ids) const;
  // The first n rows.
  DecoderState take_rows(int64_t n) const;
  // These rows, then those of `more`. A state without rows may be empty.
  DecoderState concat(const DecoderState& more) const;
  // The same, as constants: no gradient flows into what came before.
  DecoderState detach() const;
};

struct DecoderStep {
  Var readout;             // [N, R]
  Var weights;             // [N, T] attention, as the gate leaves it; absent in a decoder without it
  Var outer_weights = {};  // [N, longest] attention over the outer memory; absent without
};

// What all steps of a batch gave: what a pass was asked for, and always the readouts.
struct Unrolled {
  Var readouts;            // [N, R]
  Var weights;             // [N, T] attention
  Var outer_weights = {};  // [N, longest] over the outer memory, where there is one; with `weights`
  Var coverage_loss;       // [1] sum over all steps of min(weights, coverage)   (See et al. 2017)
};
struct UnrollOptions {
  bool weights = false, coverage_loss = false;
};

class Decoder;

// One pass of a decoder over one batch: the source it attends to, and the masks
// it keeps. The same code serves training and search.
class DecoderPass {
 public:
  // Without noise: no dropout, and attention as in prediction. With the coverage loss the decoder runs step by step.
  // What `wanted` says needs attention.
  DecoderPass(const Decoder& decoder, const Encoded& source, const DropoutOptions& dropout, Noise* noise,
              const UnrollOptions& wanted = {});

  // The state before the first step, one row per source sentence.
  DecoderState start(const Encoded& source) const;
  // The part of the first layer's gates that depends on the embedding alone, for any number of rows.
  Var input_part(const Var& embedded) const;
  // The same of rows of a table of embeddings, as a constant; those met before are not computed again.
  Var input_part(const Var& table, const ops::RowIds& ids) const;
  // Looks at more sentences from now on: first those of `before`, a pass of the same decoder without noise, that
  // are in `kept` (in its order), then its own.
  void merge_memory_of(const DecoderPass& before, const std::vector<int32_t>& kept);
  // One step. Row n attends to sentence_of_row[n]; embedded [N, E]; x_part [N, G*H] = input_part(embedded), or absent.
  // With `trace`, the numbers of row 0.
  DecoderStep step(const Var& x_part, const Var& embedded, const ops::RowIds& sentence_of_row, DecoderState& state,
                   StepTrace* trace = nullptr) const;

  struct Input {
    Var x_part, embedded;
  };
  // All steps of a ragged batch, one by one: sequence b attends to sentence_of_sequence[b]. `input`
  // gives what step t reads, and may look at the readout of the step before.
  Unrolled unroll(const Steps& steps, DecoderState state, const std::vector<int32_t>& sentence_of_sequence,
                  const std::function<Input(int64_t t, const Var& last_readout)>& input) const;
  // The same for known inputs [N, E] (teacher forcing); whole-sequence products where the model allows.
  Unrolled teacher_force(const Var& embedded, const Steps& steps, const DecoderState& state,
                         const std::vector<int32_t>& sentence_of_sequence) const;

 private:
  // What was attended to in the memory, and in the outer one.
  struct Looked {
    ops::Attended inner, outer;
  };
  Looked attend(const Var& query, const ops::RowIds& sentence_of_row, const AttentionState& before) const;
  // What the gate takes of it.
  Looked gated(Looked looked, const ContextGate::Step& step, const ops::RowIds& sentence_of_row) const;
  void trace_output(StepTrace& trace, const Looked& looked, const Var& readout) const;
  Var read_out(const Var& top, const Looked& looked, const Var& embedded) const;
  Var layer_output(size_t layer, const Var& h, const Var& below) const;
  Unrolled teacher_force_batched(const Var& embedded, const Steps& steps, const DecoderState& state,
                                 const std::vector<int32_t>& sentence_of_sequence) const;
  std::optional<ops::AttentiveLstm> fused_form() const;

  const Decoder& decoder_;
  // What is attended to, prepared once.
  struct Source {
    MemoryLayout layout;
    Attention::Prepared prepared = {};
    void merge(const Source& before, const std::vector<int32_t>& kept);
  };
  Source source_;
  std::optional<Source> outer_;  // only where it is attended to
  Remembers remembers_;
  UnrollOptions wanted_;
  Noise* noise_;
  std::vector<ops::RecurrentWeights> layers_;  // recurrent weights perhaps dropped
  std::vector<DropoutSite> between_;
  DropoutSite after_readout_;
};

// The parameters.
class Decoder {
 public:
  Decoder() = default;
  // encoder_states: widths of Encoded::final. Throws ConfigError when the options do not fit each other or these.
  Decoder(const DecoderOptions& options, const std::vector<int64_t>& encoder_states, const std::string& score,
          const DecoderSizes& sizes);
  void params(ParamVisitor& v);

 private:
  friend class DecoderPass;
  bool luong() const { return options_.attention == "luong"; }
  // Nothing a step reads depends on the attention before it: teacher forcing may run whole sequences.
  bool at_once() const;
  void make_bridge(const std::vector<int64_t>& encoder_states);

  DecoderOptions options_;
  DecoderSizes sizes_{};
  std::vector<ops::RecurrentWeights> layers_;  // layer 0 reads [embedding; feed; context; outer context]
  std::vector<LayerNorm> norms_;
  std::unique_ptr<Attention> attention_, outer_attention_;  // null: without attention
  ContextGate gate_;
  Linear readout_;  // reads [context; outer context; state; embedding (bahdanau)]
  std::vector<Linear> bridge_h_, bridge_c_;
  std::shared_ptr<ProjectedEmbeddingCache> input_parts_ = std::make_shared<ProjectedEmbeddingCache>();
};

}  // namespace lookback
