// Dropout as a model asks for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/base/rng.h"
#include "lookback/ops/basic.h"

namespace lookback {

struct DropoutOptions {
  double rate = 0;
  bool locked = false;
  double recurrent_weights = 0;
  double words = 0;

  void fields(FieldVisitor& v) {
    v("dropout", rate, "share of units dropped: embeddings, between layers, readout").range(0, 0.95);
    v("locked_dropout", locked, "one mask for all steps of a sequence (variational dropout, Gal and Ghahramani 2016)");
    v("weight_drop", recurrent_weights, "share of recurrent weights dropped (weight drop, Merity et al. 2018)")
        .range(0, 0.95);
    v("word_dropout", words, "share of input tokens replaced by <unk>").range(0, 0.95);
  }
};

// The dropout of one pass through a model. Off (the identity) without noise:
// outside training. One object for each place in the model, so that a locked
// mask stays the same from step to step.
class DropoutSite {
 public:
  DropoutSite() = default;
  DropoutSite(const DropoutOptions& options, Noise* noise)
      : rate_(noise ? options.rate : 0), locked_(options.locked), noise_(noise) {
    if (noise_ && locked_) stream_ = noise_->next();
  }

  // x [N, C] holds one step, row n of sequence n.
  Var step(const Var& x) const {
    if (rate_ == 0) return x;
    return ops::dropout(x, rate_, locked_ ? stream_ : noise_->next());
  }
  // x [N, C] holds whole sequences, row n of sequence sequences[n].
  Var sequence(const Var& x, const ops::RowIds& sequences) const {
    if (rate_ == 0) return x;
    return locked_ ? ops::dropout(x, rate_, stream_, sequences) : ops::dropout(x, rate_, noise_->next());
  }

  double rate() const { return rate_; }
  // The streams that `step` would draw from in that many steps.
  std::vector<Stream> streams(int64_t steps) const {
    std::vector<Stream> out;
    for (int64_t t = 0; rate_ > 0 && t < steps; ++t) out.push_back(locked_ ? stream_ : noise_->next());
    return out;
  }

 private:
  double rate_ = 0;
  bool locked_ = false;
  Noise* noise_ = nullptr;
  Stream stream_;
};

// w with its elements dropped for this pass; w itself without noise.
inline Var drop_weights(const Var& w, const DropoutOptions& options, Noise* noise) {
  return noise && options.recurrent_weights > 0 ? ops::dropout(w, options.recurrent_weights, noise->next()) : w;
}

}  // namespace lookback
