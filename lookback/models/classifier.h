// A sequence of ids into one of several classes: embedding, encoder, pooling, output.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/nn/encoder.h"
#include "lookback/nn/init.h"
#include "lookback/nn/pooling.h"

namespace lookback {

struct ClassifierOptions {
  EncoderOptions encoder;
  PoolingOptions pooling;
  int64_t embedding = 300;
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    v("encoder", encoder);
    v("pooling", pooling);
    v("embedding", embedding, "width of the token embeddings").range(1, 65536);
    dropout.fields(v);
    v("init", init);
  }
};

struct ClassifierObjective {
  double smoothing = 0;
  double penalty = 0;

  void fields(FieldVisitor& v) {
    v("smoothing", smoothing, "share of the target probability spread over the labels (label smoothing)")
        .range(0, 0.999);
    v("penalty", penalty,
      "weight of |A A^T - I|^2, which keeps the hops of the pooling apart (Lin et al. 2017); 0 is off")
        .range(0, 1000);
  }
  // Throws ConfigError for what does not go with this model.
  void check_with(const ClassifierOptions& model) const;
};

// Texts as ids, and the class of each.
struct ClassifierBatch {
  std::vector<std::vector<int32_t>> texts;
  std::vector<int32_t> labels;
};

struct ClassifierLoss {
  Var loss;             // [1] scale * sum over texts
  double loss_sum = 0;  // with smoothing and penalty
  double nll_sum = 0;
  int64_t correct = 0;
};

class Classifier {
 public:
  static constexpr uint64_t kNoInit = ~uint64_t{0};  // parameters are to be loaded
  // Parameters are drawn from the seed. Throws ConfigError naming the options that do not go together.
  Classifier(const ClassifierOptions& options, int64_t vocabulary, int64_t classes, uint64_t seed);

  // Without noise: no dropout, and no penalty: held-out texts.
  ClassifierLoss loss(const ClassifierBatch& batch, const ClassifierObjective& objective, double scale,
                      Noise* noise) const;

  struct Scores {
    std::vector<float> logits;  // [classes]
    Tensor weights;             // [hops, tokens] attention; empty without, and for an empty text
  };
  // Of each text, in their order; no gradients. What a text gets does not depend on the others.
  std::vector<Scores> score(const std::vector<std::vector<int32_t>>& texts) const;

  void params(ParamVisitor& v);
  bool needs_exact_embeddings() const { return encoder_.needs_exact_input(); }

 private:
  Sequence embed(const std::vector<std::vector<int32_t>>& texts, Noise* noise) const;

  ClassifierOptions options_;
  int64_t vocabulary_, classes_;
  Embedding embedding_;
  Encoder encoder_;
  Pooling pooling_;
  Linear output_;
};

}  // namespace lookback
