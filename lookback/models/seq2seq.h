// Encoder, attention, decoder: from one sequence of ids, or of rows of features, to another of ids.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lookback/data/vocab.h"
#include "lookback/decode/step_decoder.h"
#include "lookback/models/sentences.h"
#include "lookback/nn/decoder.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/front.h"
#include "lookback/nn/init.h"
#include "lookback/nn/segmented_encoder.h"
#include "lookback/ops/copying.h"

namespace lookback {

struct Seq2SeqOptions {
  EncoderOptions encoder;
  DecoderOptions decoder;
  std::string score = "general";
  int64_t attention = 0;
  LocationOptions location;
  MonotonicOptions monotonic;
  int64_t heads = 4;
  int64_t embedding = 256;
  SpellingOptions spelling = {};
  int64_t features = 0;    // width of a source's rows, which are no tokens; 0: tokens. No option of a recipe, as is
  bool segmented = false;  // sources are dialogues: turns and rows of knowledge
  SegmentOptions turns;
  int64_t readout = 0;
  std::string tie = "none";
  bool copy = false;
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    v("encoder", encoder);
    v("decoder", decoder);
    v("score", score,
      "how a decoder state is compared with each source position; location also knows the weights of the step before "
      "(Chorowski et al. 2015), coverage the sum of all weights before (See et al. 2017); monotonic walks along the "
      "source, one position at a time and never back (Raffel et al. 2017); multi_head has several scaled dot "
      "products side by side (Vaswani et al. 2017), and its weights are their mean; uniform, all positions alike; "
      "none: no attention, the decoder "
      "starts from the encoder's last state and sees nothing else")
        .choices(score_choices());
    v("attention", attention,
      "width of the scores concat, additive, location, coverage, monotonic and multi_head; 0: as wide as the decoder")
        .range(0, 65536);
    v("heads", heads, "score = 'multi_head': heads, each of an equal part of the attention's width").range(1, 1024);
    v("location", location), v("monotonic", monotonic);
    if (segmented) v("turns", turns);
    v("embedding", embedding, "width of the token embeddings").range(1, 65536);
    if (features == 0) spelling.fields(v);
    v("readout", readout,
      "width of the features the output layer reads; 0: the decoder's, or the embedding's when tied")
        .range(0, 65536);
    if (features > 0) {
      v("tie", tie, "share embeddings: none; decoder: target input and output").choices({"none", "decoder"});
    } else {
      v("tie", tie, "share embeddings: none; decoder: target input and output; all: source, target input and output")
          .choices({"none", "decoder", "all"});
      v("copy", copy,
        "outputs may also repeat words of their source, known or not: each token is written or copied, as a gate says, "
        "and copied from where the attention is (pointer-generator, See et al. 2017); needs attention");
    }
    dropout.fields(v);
    v("init", init);
  }
};

// What training minimises.
struct ObjectiveOptions {
  double smoothing = 0.1;
  double coverage = 0;
  double doubly_stochastic = 0;
  std::string sampling = "none";
  double sampling_rate = 0.25;
  int64_t sampling_steps = 10000;

  void fields(FieldVisitor& v) {
    v("smoothing", smoothing, "share of the target probability spread over the vocabulary (label smoothing)")
        .range(0, 0.999);
    v("coverage", coverage,
      "weight of the coverage loss, which punishes looking where the decoder has looked before: sum of min(weights, "
      "sum of the weights before) (See et al. 2017); 0 is off; the decoder then runs step by step")
        .range(0, 1000);
    v("doubly_stochastic", doubly_stochastic,
      "weight of a loss that asks the decoder to look at each position of its source once: sum over these of (1 - sum "
      "of their weights)^2 (Xu et al. 2015); 0 is off")
        .range(0, 1000);
    v("sampling", sampling,
      "scheduled sampling (Bengio et al. 2015), how the share of inputs taken from the model itself grows: none, "
      "constant, linear, exponential (fast at first), inverse_sigmoid (fast half-way)")
        .choices({"none", "constant", "linear", "exponential", "inverse_sigmoid"});
    v("sampling_rate", sampling_rate,
      "the share: from the start (constant) or at sampling_steps (the others, which start from 0)")
        .range(0, 1);
    v("sampling_steps", sampling_steps, "training steps until the share is reached; it stays there").range(1, 1e12);
  }
  // Throws ConfigError for what does not go with this model.
  void check_with(const Seq2SeqOptions& model) const;
  // The share of inputs sampled from the model at a training step: from 0 at step 0 to
  // sampling_rate at sampling_steps, and no further.
  double sampled_share(uint64_t step) const;
};

// A part of a source: who says it, a number in [0, kSegmentRoles), and how many tokens it has.
struct Segment {
  int32_t role, tokens;
};
constexpr int32_t kSegmentRoles = 3;
using Segments = std::vector<std::vector<Segment>>;  // of each source, in order; together all of its tokens

// From [role, tokens, role, tokens, ...].
std::vector<Segment> segments_of(const std::vector<int32_t>& numbers);
// Throws ShapeError unless there are segments for each source that make up all of it.
void check_segments(const Sentences& sources, const Segments& segments);

// Sentence pairs as ids, without <s> and </s>; where the front reads them, how sources are written (data::Spelling);
// where outputs copy, what source tokens are as tokens of the output (data::ExtendedVocabulary), and targets may have
// such ids too. kPad there: no token of an output. Of a segmented model, the parts of sources.
struct Seq2SeqBatch {
  Sentences source, target, spellings = {}, copies = {};
  Segments segments = {};
};

// Sources to search for outputs of. candidates[b]: the ascending tokens that sentence b's outputs may hold; none at
// all: the whole vocabulary. spellings, copies, segments: as in a batch.
struct Seq2SeqSources {
  Sentences source, candidates = {}, spellings = {}, copies = {};
  Segments segments = {};
};

struct Seq2SeqLoss {
  Var loss;             // [1] scale * sum over target tokens
  double loss_sum = 0;  // with smoothing
  double nll_sum = 0;
  int64_t correct = 0, tokens = 0;  // tokens include one </s> a sentence
};

class Seq2Seq {
 public:
  struct Vocabularies {
    int64_t source, target, characters = 0;
  };
  // A seed for parameters that are to be loaded: they start as zeros, and no time is spent on drawing them.
  static constexpr uint64_t kNoInit = ~uint64_t{0};
  // Parameters are drawn from the seed. Throws ConfigError naming the options that do not go together.
  Seq2Seq(const Seq2SeqOptions& options, Vocabularies vocabularies, uint64_t seed);

  // Teacher forcing, or scheduled sampling when the objective asks for it and
  // there is noise. Without noise: no dropout, for scoring held-out text.
  Seq2SeqLoss loss(const Seq2SeqBatch& batch, const ObjectiveOptions& objective, double scale, Noise* noise) const;

  // Of a model of features, the memory of rows [N, features], and what comes of it. loss: targets[b] for sequence b in
  // the order that the rows' shape was given. decoder: row b for sequence b; all start, and attention weights are over
  // rows of the memory.
  Encoded encode(const Sequence& rows, Noise* noise) const;
  Seq2SeqLoss loss(const Encoded& encoded, const Sentences& target, const ObjectiveOptions& objective, double scale,
                   Noise* noise) const;
  std::unique_ptr<decode::StepDecoder> decoder(const Encoded& encoded) const;
  const Encoder& encoder() const { return encoder_; }

  static constexpr int64_t kAllTogether = std::numeric_limits<int64_t>::max();
  // A decoder for search over these source sentences; no gradients. Only `together` of them start: the others
  // wait, and are read as many at a time when there is room. With copying its vocabulary is longer by the most words
  // that any source has for itself. The model must outlive it.
  std::unique_ptr<decode::StepDecoder> decoder(Seq2SeqSources sources, int64_t together = kAllTogether) const;

  // A step of writing an output: what it read and wrote, its numbers, and the three likeliest tokens with their
  // probabilities.
  struct TracedStep {
    int32_t read, written;
    StepTrace trace = {};
    std::vector<std::pair<int32_t, double>> likeliest = {};
    double copying = 0;  // the gate's share of what is copied
  };
  // Every step of writing the one target of a batch, and its end, for a source that is not empty.
  std::vector<TracedStep> trace(const Seq2SeqBatch& pair) const;
  // With copying, how likely each of its tokens, and the end, is to be copied and not written: 1 - g.
  std::vector<double> copying(const Seq2SeqBatch& pair) const;
  // Of a segmented model with attention to turns: the weights [target tokens + 1, segments] over those of the source.
  Tensor turn_weights(const Seq2SeqBatch& pair) const;

  void params(ParamVisitor& v);
  // [vocabulary, embedding] of each side; one table where all are tied
  const Var& source_embeddings() const { return front_.embeddings(); }
  const Var& target_embeddings() const { return target_embedding_.weight; }
  // Tables that stay as they are where weights are stored as int8.
  StringList kept_from_int8() const;
  // So many source tokens stand behind each row of a step's trace.
  int64_t shortening() const { return encoder_.shortening(); }
  const Vocabularies& vocabularies() const { return vocabularies_; }

 private:
  friend class Seq2SeqDecoder;
  Sequence embed_source(const Sentences& sentences, const Sentences& spellings, Noise* noise) const;
  Encoded encode(const Sentences& sources, const Sentences& spellings, const Segments& segments, Noise* noise) const;
  Encoded encode_segments(const Sentences& sources, const Segments& segments, Noise* noise) const;
  DecoderPass::Input sampled_input(const DecoderPass& pass, const DropoutSite& site, std::vector<int32_t> truth,
                                   const Var& last_readout, double share, Noise& noise) const;
  Seq2SeqLoss loss_of(const Encoded& encoded, const Sentences& target, const Sentences& copies,
                      const ObjectiveOptions& objective, double scale, Noise* noise) const;
  void check_batch(const Seq2SeqBatch& batch) const;
  // The steps of the one pair of a batch, without noise.
  Unrolled forced(const Seq2SeqBatch& pair) const;
  // A token of the vocabulary; <unk> for one that a source has for itself.
  int32_t known(int32_t token) const { return token < vocabularies_.target ? token : data::kUnk; }
  Var project(const Var& readout) const;
  // What of a source can be copied, from its part of Seq2SeqBatch::copies.
  static ops::CopySentence copies_of(std::vector<int32_t> tokens);
  // The mixture's gate and weights for rows that look at these sentences, by their ranks.
  ops::Copying copying_of(const Var& readout, const Var& weights, ops::CopySentences copies,
                          ops::RowIds sentence_of_row) const;

  Seq2SeqOptions options_;
  Vocabularies vocabularies_;
  Front front_;  // of sources
  Embedding target_embedding_;
  Embedding roles_;  // [kSegmentRoles, width of front_], of a segmented model, as is
  SegmentedEncoder segmented_;
  Encoder encoder_;
  Decoder decoder_;
  Linear output_;     // its weight is target_embedding_'s when tied
  Linear copy_gate_;  // [1, R], with copying
};

}  // namespace lookback
