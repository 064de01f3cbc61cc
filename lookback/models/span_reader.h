// Where a passage answers a question: two positions, the answer's first and last token. Chen et al. 2017, "Reading
// Wikipedia to answer open-domain questions" (DrQA); with attention in both directions as in Seo et al. 2017,
// "Bidirectional attention flow" (BiDAF).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lookback/models/sentences.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/front.h"
#include "lookback/nn/init.h"
#include "lookback/nn/pooling.h"
#include "lookback/ops/attention.h"

namespace lookback {

struct SpanEncoderOptions : EncoderOptions {
  SpanEncoderOptions() { hidden = 128; }
};

// What a reader of spans has besides what other readers have.
struct SpanReaderParts {
  bool aligned = true;
  bool exact_match = true;
  SpanEncoderOptions passage, question;
  bool flow = false;
  SpanEncoderOptions flow_encoder;
  bool no_answer = false;

  void fields(FieldVisitor& v) {
    v("aligned", aligned,
      "each passage word also reads the question's words, weighted by how like they are to it (aligned question "
      "embedding, Lee et al. 2016; Chen et al. 2017)");
    v("exact_match", exact_match, "each passage word knows whether the question has it, and each way round");
    v("passage", passage), v("question", question);
    v("flow", flow,
      "attention in both directions between the words of passage and question, once both are encoded (BiDAF, Seo et "
      "al. 2017), and another encoder over it");
    v("flow_encoder", flow_encoder);
    v("no_answer", no_answer, "a question may have no answer in its passage: the reader then points behind its end");
  }
};

struct SpanReaderOptions : SpanReaderParts {
  FrontOptions front;
  PoolingOptions pooling = {.kind = "dot"};
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    front.fields(v);
    SpanReaderParts::fields(v);
    v("pooling", pooling);
    dropout.fields(v);
    v("init", init);
  }
};

// Questions and passages as a reader takes them: ids of one vocabulary, and behind it words of a passage that the
// vocabulary lacks, numbered as data::ExtendedVocabulary does, so that a question's are known to be the passage's.
struct SpanReaderTexts {
  Sentences questions, passages;

  int64_t size() const { return std::ssize(passages); }
};

// The answer's tokens of a passage, both included. Behind the passage's end, both: there is none.
struct Span {
  int32_t first, last;
  friend bool operator==(const Span&, const Span&) = default;
};

struct SpanReaderBatch {
  SpanReaderTexts texts;
  std::vector<Span> answers;
};

struct SpanReaderLoss {
  Var loss;             // [1] scale * sum over questions of -log p(first) - log p(last)
  double nll_sum = 0;   // that sum
  int64_t correct = 0;  // questions of which both positions were the likeliest
};

class SpanReader {
 public:
  static constexpr uint64_t kNoInit = ~uint64_t{0};  // parameters are to be loaded
  // Parameters are drawn from the seed. Throws ConfigError naming the options that do not go together.
  SpanReader(const SpanReaderOptions& options, int64_t vocabulary, uint64_t seed);

  // Without noise: no dropout: held-out questions.
  SpanReaderLoss loss(const SpanReaderBatch& batch, double scale, Noise* noise) const;

  // Energies of each token of a passage, and with no_answer of the place behind its end, to be the first or the last
  // one; not normalised, so that those of several windows of a passage can be compared.
  struct Scores {
    std::vector<float> first, last;
    Tensor alignment;  // [passage tokens, question tokens] attention of the passage over the question: that of aligned
                       // question embeddings, or without them that of flow; empty without either
    Tensor view;       // [passage tokens] with flow, attention of the question over the passage; else empty
    Tensor question;   // [question tokens] attention of the pooling; empty without
  };
  // Of each question, in their order; no gradients. What a question gets does not depend on the others.
  std::vector<Scores> score(const SpanReaderTexts& texts) const;

  void params(ParamVisitor& v);
  const Var& embeddings() const { return front_.embeddings(); }
  // Tables that stay as they are where weights are stored as int8.
  StringList kept_from_int8() const { return front_.kept_from_int8(true); }

 private:
  struct Read;
  Read read(const SpanReaderTexts& texts, Noise* noise) const;
  Sequence embed(const Sentences& texts, Noise* noise) const;
  struct Flow;
  Flow attention_flow(const Sequence& passages, const Sequence& questions, const ops::Visible& question_of_row) const;
  void check_texts(const SpanReaderTexts& texts) const;

  SpanReaderOptions options_;
  int64_t vocabulary_;
  Front front_;
  Linear aligned_;  // [E, E], with relu
  Encoder passage_, question_, flow_encoder_;
  Pooling pooling_;
  Linear flow_passage_, flow_question_;  // the two vectors of the trilinear score, and
  Var flow_both_;                        // [2H] the third
  Linear first_, last_;                  // [width of what is pointed into, width of the question]
};

// The likeliest span of at most `longest` of the passage's tokens, by the sum of both energies, in linear time. Of
// equals the one that ends first.
struct BestSpan {
  Span span;
  double score;  // the sum
};
BestSpan best_span(const SpanReader::Scores& scores, int64_t passage_tokens, int64_t longest);

}  // namespace lookback
