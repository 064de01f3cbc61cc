// A text into one of several classes, or into any number of them: front, encoder, pooling, output. A long text may be
// read as sentences of words, each of them pooled to one vector that a second encoder and pooling read (Yang et al.
// 2016, "Hierarchical attention networks for document classification").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/models/nested_texts.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/front.h"
#include "lookback/nn/init.h"
#include "lookback/nn/pooling.h"

namespace lookback {

struct SentenceOptions {
  EncoderOptions encoder;
  PoolingOptions pooling;
  StringList ends = {".", "!", "?", "。", "！", "？"};

  void fields(FieldVisitor& v) {
    v("encoder", encoder), v("pooling", pooling);
    v("ends", ends, "a sentence ends behind a token that ends so, and behind others like it that follow");
  }
};

struct ClassifierOptions {
  EncoderOptions encoder;
  PoolingOptions pooling;
  bool hierarchical = false;
  SentenceOptions sentences;
  FrontOptions front;
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    v("encoder", encoder);
    v("pooling", pooling);
    v("hierarchical", hierarchical,
      "encoder and pooling read the words of each sentence, those of model.sentences then the sentences (Yang et al. "
      "2016)");
    v("sentences", sentences);
    front.fields(v);
    dropout.fields(v);
    v("init", init);
  }
};

struct ClassifierObjective {
  double smoothing = 0;
  double penalty = 0;

  void fields(FieldVisitor& v) {
    v("smoothing", smoothing,
      "share of the target probability spread over the labels (label smoothing); of several labels half of it goes to "
      "the contrary of each")
        .range(0, 0.999);
    v("penalty", penalty,
      "weight of |A A^T - I|^2, which keeps the hops of the pooling apart (Lin et al. 2017); 0 is off")
        .range(0, 1000);
  }
  // Throws ConfigError for what does not go with this model.
  void check_with(const ClassifierOptions& model) const;

  std::vector<double> class_weights = {};  // [classes] or none: each 1
};

// Texts, of which a hierarchical model reads the parts as sentences, and the classes of each.
struct ClassifierBatch {
  NestedTexts texts;
  Sentences labels;
};

struct ClassifierLoss {
  Var loss;             // [1] scale * sum over texts
  double loss_sum = 0;  // with smoothing, weights of classes and penalty
  double nll_sum = 0;   // without: -log p of what the text has, all its classes together
  int64_t correct = 0;  // texts of which all is right
};

class Classifier {
 public:
  static constexpr uint64_t kNoInit = ~uint64_t{0};  // parameters are to be loaded
  struct Sizes {
    int64_t vocabulary, characters, classes;
    bool several = false;  // a text may have any number of classes: each has a probability of its own
  };
  // Parameters are drawn from the seed. Throws ConfigError naming the options that do not go together.
  Classifier(const ClassifierOptions& options, const Sizes& sizes, uint64_t seed);

  // Without noise: no dropout, and no penalty: held-out texts.
  ClassifierLoss loss(const ClassifierBatch& batch, const ClassifierObjective& objective, double scale,
                      Noise* noise) const;

  struct Scores {
    std::vector<float> logits;  // [classes]
    Tensor weights;             // [hops, tokens] attention; empty without, and for an empty text
    Tensor sentence_weights;    // [hops, sentences] of a hierarchical model, likewise
  };
  // Of each text, in their order; no gradients. What a text gets does not depend on the others.
  std::vector<Scores> score(const NestedTexts& texts) const;

  void params(ParamVisitor& v);
  const Var& embeddings() const { return front_.embeddings(); }
  // Tables that stay as they are where weights are stored as int8.
  StringList kept_from_int8() const { return front_.kept_from_int8(encoder_.needs_exact_input()); }

 private:
  struct Read;
  Read read(const NestedTexts& texts, Noise* noise) const;
  void add_binary_loss(const Var& logits, const Sentences& labels, const ClassifierObjective& objective, double scale,
                       ClassifierLoss& out) const;
  void check_texts(const NestedTexts& texts) const;

  ClassifierOptions options_;
  Sizes sizes_;
  Front front_;
  Encoder encoder_, sentence_encoder_;
  Pooling pooling_, sentence_pooling_;
  Linear output_;
};

}  // namespace lookback
