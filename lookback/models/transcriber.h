// Sound into text: rows of features to tokens, by attention ("Listen, attend and spell", Chan et al. 2016), by CTC
// (Graves et al. 2006), or by both over one encoder (Watanabe et al. 2017, "Hybrid CTC/attention architecture for
// end-to-end speech recognition").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lookback/data/vocab.h"
#include "lookback/models/feature_rows.h"
#include "lookback/models/seq2seq.h"

namespace lookback {

struct TranscriberOptions {
  std::string kind = "joint";
  Seq2SeqOptions seq2seq;

  TranscriberOptions() {
    seq2seq.features = 1;  // until the width is known
    seq2seq.score = "location", seq2seq.attention = 128, seq2seq.embedding = 64;
    seq2seq.decoder.hidden = 256;
  }
  void fields(FieldVisitor& v) {
    v("kind", kind,
      "what writes the text: attention, a decoder that attends to the sound; ctc, the encoder alone, one token or none "
      "at each of its rows (the decoder's options then have no effect and have to stay as they are); joint, both, "
      "whose "
      "scores are added")
        .choices({"joint", "attention", "ctc"});
    seq2seq.fields(v);
  }
  bool attends() const { return kind != "ctc"; }
  bool has_ctc() const { return kind != "attention"; }
};

struct TranscriberObjective : ObjectiveOptions {
  double ctc = 0.3;

  void fields(FieldVisitor& v) {
    ObjectiveOptions::fields(v);
    v("ctc", ctc, "model.kind = 'joint': weight of the CTC loss; that of the attention's has what is left to 1")
        .range(0.01, 0.99);
  }
};

struct TranscriberLoss {
  Var loss;  // [1] scale * sum over target tokens
  double loss_sum = 0;
  double nll_sum = 0;      // of the attention's tokens; of kind ctc of whole targets
  double ctc_sum = 0;      // -log p by CTC, 0 without
  int64_t correct = 0;     // of the attention's tokens
  int64_t tokens = 0;      // with one end for each target
  int64_t impossible = 0;  // targets that are too long for their rows: CTC learns nothing of them
};

// What an encoder has read, and what CTC says of it.
struct Heard {
  Encoded encoded;
  // Of each source, in the order given, [T, V]: -infinity of <s> and </s>, which no text has. None without CTC, and
  // where they were not asked for.
  std::vector<Tensor> log_probs;
};

// Whether anybody will look at what CTC says.
enum class HearFor { ctc, attention };

class Transcriber {
 public:
  static constexpr uint64_t kNoInit = Seq2Seq::kNoInit;
  // CTC's blank has the place of a token that no text has.
  static constexpr int32_t kBlank = data::kPad;

  // Rows of `width` features to tokens of a vocabulary. Throws ConfigError naming options that do not go together.
  Transcriber(TranscriberOptions options, int64_t width, int64_t vocabulary, uint64_t seed);

  // Of sources and their targets, without <s> and </s>. Without noise: no dropout, and attention's truth is fed back.
  TranscriberLoss loss(const FeatureRows& sources, const Sentences& targets, const TranscriberObjective& objective,
                       double scale, Noise* noise) const;

  Heard hear(const FeatureRows& sources, HearFor what = HearFor::ctc) const;
  // A decoder for search: attention, CTC prefixes, or `ctc_weight` of these and what is left to 1 of attention; above 0
  // it has to have been heard for CTC. Its row b is for source b, and attention weights are over rows of the memory.
  std::unique_ptr<decode::StepDecoder> decoder(const Heard& heard, double ctc_weight) const;

  // Sound that is read as it comes. Only for what streams() allows.
  struct StreamState {
    std::vector<BlockState> blocks;
  };
  // Why a model cannot: "model.kind is 'attention', which needs the whole"; "": it can.
  std::string cannot_stream() const;
  // The next rows [T, width] of one recording -> log-probabilities [T, V] of CTC, as in Heard.
  Tensor continued(const Tensor& rows, StreamState& state) const;

  // So many rows of features stand behind each row of the memory.
  int64_t shortening() const { return encoder().shortening(); }
  int64_t width() const { return width_; }
  int64_t vocabulary() const { return vocabulary_; }
  const TranscriberOptions& options() const { return options_; }
  void params(ParamVisitor& v);

 private:
  const Encoder& encoder() const { return seq2seq_ ? seq2seq_->encoder() : encoder_; }
  Encoded encode(const FeatureRows& sources, Noise* noise) const;
  // [S, V] of the memory's rows, its columns those of the vocabulary.
  Var ctc_logits(const Encoded& encoded) const { return ctc_(encoded.memory.x); }

  TranscriberOptions options_;
  int64_t width_, vocabulary_;
  std::optional<Seq2Seq> seq2seq_;
  Encoder encoder_;  // without attention
  Linear ctc_;
};

}  // namespace lookback
