// A language model: what comes next, token by token, from everything before it. Recurrent layers, or any blocks that
// look back only, over tied embeddings. (Mikolov et al. 2010; Zaremba et al. 2014; Merity et al. 2018, "Regularizing
// and optimizing LSTM language models", whose names are used here)
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lookback/nn/adaptive_softmax.h"
#include "lookback/nn/block.h"
#include "lookback/nn/init.h"
#include "lookback/nn/linear.h"
#include "lookback/nn/module.h"

namespace lookback {

// Shares of what is dropped in training, each at its own place.
struct LanguageDropout {
  double words = 0, embedding = 0, hidden = 0, output = 0, recurrent_weights = 0;
  bool locked = true;

  void fields(FieldVisitor& v) {
    v("words", words,
      "of the vocabulary: a word that is dropped is so wherever it is read in a batch (embedding dropout, Gal and "
      "Ghahramani 2016; Merity et al. 2018)")
        .range(0, 0.95);
    v("embedding", embedding, "of the units of embeddings").range(0, 0.95);
    v("hidden", hidden, "of the units between layers").range(0, 0.95);
    v("output", output, "of the units behind the last layer").range(0, 0.95);
    v("recurrent_weights", recurrent_weights, "of the recurrent weights (weight drop, Merity et al. 2018)")
        .range(0, 0.95);
    v("locked", locked, "one mask for all steps of a batch (variational dropout); otherwise a new one at each step");
  }
};

// Its layers: recurrent ones, or any blocks.
struct LanguageLayers {
  std::string cell = "lstm";
  int64_t layers = 2;
  int64_t hidden = 650;
  bool residual = false;
  bool layer_norm = false;

  void fields(FieldVisitor& v) {
    v("cell", cell, "recurrent unit").choices({"lstm", "gru"});
    v("layers", layers, "recurrent layers, one on the other").range(1, 64);
    v("hidden", hidden, "units of a layer").range(1, 65536);
    v("residual", residual, "add each layer's input to its output where the widths agree");
    v("layer_norm", layer_norm, "normalise each layer's output (Ba et al. 2016)");
  }
};

struct LanguageModelOptions {
  int64_t embedding = 650;
  LanguageLayers layers;
  std::deque<BlockOptions> blocks;
  bool tied = true;
  StringList cutoffs;
  static constexpr double kDivValue = 4;
  double div_value = kDivValue;
  LanguageDropout dropout;
  InitOptions init = {.kind = "uniform"};

  void fields(FieldVisitor& v) {
    v("embedding", embedding, "width of the token embeddings").range(1, 65536);
    layers.fields(v);
    v("blocks", blocks);
    v("tied", tied,
      "the output layer has the embeddings as its weights (Press and Wolf 2017), behind a linear layer where the last "
      "block is of another width");
    v("cutoffs", cutoffs,
      "adaptive softmax (Grave et al. 2017), for large vocabularies: tokens from each of these ids on, the rarer ones, "
      "share a cluster, as [4000, 20000]; those behind the vocabulary's end do not count; none: one softmax over all");
    v("div_value", div_value, "cutoffs, tied = false: each cluster's layer is narrower than the one before by this")
        .range(1, 64);
    v("dropout", dropout), v("init", init);
  }
};

struct LanguageObjective {
  double activation = 0, temporal_activation = 0;

  void fields(FieldVisitor& v) {
    v("activation", activation,
      "activation regularisation (AR): weight of the mean square of the last layer's dropped outputs (Merity et al. "
      "2018: 2)")
        .range(0, 1000);
    v("temporal_activation", temporal_activation,
      "temporal activation regularisation (TAR): weight of the mean square of the last layer's changes from step to "
      "step (Merity et al. 2018: 1)")
        .range(0, 1000);
  }
};

// What a model remembers of B texts that it has read so far. Empty: nothing was read yet.
struct LanguageState {
  std::vector<BlockState> blocks;

  bool empty() const { return blocks.empty(); }
  // Row k of the result is row ids[k] of this.
  LanguageState gather(std::span<const int32_t> ids) const;
  // These rows, then those of `more`; neither is empty.
  LanguageState concat(const LanguageState& more) const;
  // As tensors with names; LanguageModel::state_of makes the same bits of them.
  std::vector<std::pair<std::string, Tensor>> tensors() const;
};

// Some steps of B texts that are read side by side.
struct LanguageBatch {
  int64_t texts = 0;                  // B
  std::vector<int32_t> ids, targets;  // [L * B] by step: token (l, b) at l * B + b, and the one that follows it

  int64_t steps() const { return texts > 0 ? std::ssize(ids) / texts : 0; }
};

struct LanguageLoss {
  Var loss;             // [1] scale * loss_sum
  double loss_sum = 0;  // with regularisers
  double nll_sum = 0;   // without: -log p of the targets
  int64_t correct = 0;  // targets that were the likeliest
};

class LanguageModel {
 public:
  static constexpr uint64_t kNoInit = ~uint64_t{0};  // parameters are to be loaded
  // Parameters are drawn from the seed. Throws ConfigError naming the options that do not go together.
  LanguageModel(const LanguageModelOptions& options, int64_t vocabulary, uint64_t seed);

  // Reads L more tokens of each of B texts, [L * B] by step, going on from `state`, which is left behind the last one.
  // -> [L * B, width], by step: what the output layer reads. No gradient flows into what was read before.
  Var read(std::span<const int32_t> ids, int64_t texts, LanguageState& state) const;
  // [N, V] not normalised, or log-probabilities of an adaptive softmax. hidden [N, width] as `read` gives it.
  Var logits(const Var& hidden) const { return adaptive_ ? Var(adaptive_->log_probs(hidden)) : output_(hidden); }
  // Of whose values the largest is the likeliest token; null with an adaptive softmax.
  const Linear* output() const { return adaptive_ ? nullptr : &output_; }

  // Without noise: no dropout and no regularisers: held-out text.
  LanguageLoss loss(const LanguageBatch& batch, const LanguageObjective& objective, LanguageState& state, double scale,
                    Noise* noise) const;

  int64_t vocabulary() const { return vocabulary_; }
  int64_t width() const { return width_; }  // of what the output layer reads
  bool has_attention() const;
  // A state as LanguageState::tensors gave it. Throws FormatError saying what does not fit; the message names no file.
  LanguageState state_of(const std::vector<std::pair<std::string, Tensor>>& tensors) const;
  const Var& embeddings() const { return embedding_.weight; }
  // The output's bias begins at the logarithms of how frequent tokens are, so that states need not learn it: with Adam
  // they otherwise grow large. Does nothing with an adaptive softmax that is not tied, which has no bias. counts [V].
  void start_from_frequencies(const std::vector<int64_t>& counts);
  // Tables that stay as they are where weights are stored as int8.
  StringList kept_from_int8() const;
  void params(ParamVisitor& v);

 private:
  struct Outputs;
  Outputs run(std::span<const int32_t> ids, int64_t texts, LanguageState& state, Noise* noise) const;
  Sequence embed(std::span<const int32_t> ids, const Ragged& shape, Noise* noise) const;
  Var regularisers(const Outputs& out, int64_t texts, const LanguageObjective& objective) const;

  LanguageModelOptions options_;
  int64_t vocabulary_;
  Embedding embedding_;
  std::vector<std::unique_ptr<Block>> blocks_;
  Linear projection_;  // [E, width of the last block] or absent
  int64_t width_;
  Linear output_;                            // [V, width]; absent with an adaptive softmax of its own weights
  std::optional<AdaptiveSoftmax> adaptive_;  // instead, or over output_
};

}  // namespace lookback
