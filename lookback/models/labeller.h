// A tag for each token of a text, or for each text of a sequence, such as the turns of a dialogue: front, encoder,
// output, and softmax or a CRF over the tags (Lample et al. 2016, "Neural architectures for named entity recognition").
// Texts are pooled to one vector each, which a second encoder reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lookback/data/tag_scheme.h"
#include "lookback/models/nested_texts.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/front.h"
#include "lookback/nn/init.h"
#include "lookback/nn/pooling.h"
#include "lookback/ops/crf.h"

namespace lookback {

struct TextsOptions {
  bool alone = false;
  EncoderOptions encoder;

  void fields(FieldVisitor& v) {
    v("alone", alone,
      "each text is read alone: model.texts.encoder, which reads those of a sequence together, is left out");
    v("encoder", encoder);
  }
};

struct LabellerOptions {
  std::string unit = "token";
  EncoderOptions encoder;
  PoolingOptions pooling;
  TextsOptions texts;
  bool crf = true;
  std::string forbid = "none";
  FrontOptions front;
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    v("unit", unit,
      "what has a tag: each token of a text; or each text of a sequence, such as the turns of a dialogue, whose tokens "
      "model.encoder reads and model.pooling makes one vector of")
        .choices({"token", "text"});
    v("encoder", encoder);
    v("pooling", pooling);
    v("texts", texts);
    v("crf", crf,
      "tags are chosen together, by a conditional random field over neighbours (Lafferty et al. 2001); else each "
      "alone");
    v("forbid", forbid,
      "bio, bioes: sequences of tags that are none of these are never chosen, and left out of training; none: all may "
      "be")
        .choices({"none", "bio", "bioes"});
    front.fields(v);
    dropout.fields(v);
    v("init", init);
  }
  bool of_texts() const { return unit == "text"; }
};

struct LabellerObjective {
  double smoothing = 0;

  void fields(FieldVisitor& v) {
    v("smoothing", smoothing,
      "model.crf = false: share of the target probability spread over the tags (label smoothing)")
        .range(0, 0.999);
  }
  // Throws ConfigError for what does not go with this model.
  void check_with(const LabellerOptions& model) const;
};

// What is added to scores of K tags: 0, or -infinity where it is forbidden.
struct TagRules {
  Tensor transitions, start, end;  // [K, K], [K], [K]; empty where nothing is
};
// Throws ConfigError where these tags leave nothing that a sequence of any length may have.
TagRules tag_rules(data::TagScheme scheme, const StringList& tags);

// Texts and their tags; sequences of texts are one text each, of parts.
struct LabellerBatch {
  NestedTexts texts;
  Sentences tags;  // of each as many as it has tokens, or parts
};

struct LabellerLoss {
  Var loss;             // [1] scale * sum over tags
  double loss_sum = 0;  // with smoothing
  double nll_sum = 0;   // -log p of all tags
  int64_t correct = 0;  // tags that are right
};

class Labeller {
 public:
  static constexpr uint64_t kNoInit = ~uint64_t{0};  // parameters are to be loaded
  struct Sizes {
    int64_t vocabulary, characters, tags;
  };
  // Parameters are drawn from the seed. Throws ConfigError naming the options that do not go together, ShapeError for
  // rules of another number of tags.
  Labeller(const LabellerOptions& options, const Sizes& sizes, TagRules rules, uint64_t seed);

  // Without noise: no dropout: held-out texts. Throws ShapeError also for tags that a CRF's rules forbid.
  LabellerLoss loss(const LabellerBatch& batch, const LabellerObjective& objective, double scale, Noise* noise) const;

  struct Scores {
    Tensor emissions;             // f32 [n, K]; without a CRF log-probabilities
    std::vector<Tensor> weights;  // of each text: [hops, tokens] of its attention; none without, and of tokens
  };
  // Of each text, in their order; no gradients. What a text gets does not depend on the others.
  std::vector<Scores> score(const NestedTexts& texts) const;
  // Scores of neighbours, beginnings and ends: zeros without a CRF, and rules.
  TagRules transitions() const;

  void params(ParamVisitor& v);
  const Var& embeddings() const { return front_.embeddings(); }
  // Tables that stay as they are where weights are stored as int8.
  StringList kept_from_int8() const;

 private:
  struct Read;
  Read read(const NestedTexts& texts, Noise* noise) const;
  ops::CrfScores crf_scores(const Var& emissions) const;
  void check_texts(const NestedTexts& texts) const;

  LabellerOptions options_;
  Sizes sizes_;
  TagRules rules_;
  Front front_;
  Encoder encoder_, texts_encoder_;
  Pooling pooling_;
  Linear output_;
  Var transitions_, start_, end_;
};

// Tags [n] and their probabilities [n, K] for emissions [n, K] and what belongs to them.
struct LabelledSequence {
  std::vector<int32_t> tags;
  Tensor probabilities;  // empty unless wanted
  double log_prob = 0;   // of all tags together; NaN unless wanted
};
// Each alone, whatever the others are. Throws ShapeError as crf_viterbi does.
std::vector<LabelledSequence> best_tags(const std::vector<Tensor>& emissions, const TagRules& transitions,
                                        bool want_probabilities);

}  // namespace lookback
