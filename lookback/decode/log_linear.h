#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "lookback/decode/step_decoder.h"

namespace lookback::decode {

// One of the models of a log-linear sum.
struct Term {
  std::unique_ptr<StepDecoder> decoder;
  double weight = 1;  // finite, >= 0
  // Of each token of the sum the decoder's own, -1: it has none. Empty: the same. Several tokens may have one in common
  // (its unknown word, say); eos should have the decoder's eos, for that is how it says that a text ends here, and bos
  // its bos.
  std::vector<int32_t> token_of = {};
  // The least log-probability it gives to any token, and all it gives to one it does not have. -infinity: what it holds
  // impossible is impossible.
  double floor = -std::numeric_limits<double>::infinity();
  int32_t unknown = 0;  // what it is fed for a token it does not have; of its own vocabulary
};

// Several decoders of the same sentences as one, whose score of a token is the weighted sum of theirs:
//   score(c) = sum_m weight_m max(floor_m, log p_m(token_of_m(c))),
// log p_m normalised over m's own row unless it says log_probs. Shallow fusion of a language model (Gulcehre et al.
// 2015, "On using monolingual corpora in neural machine translation") and joint decoding with CTC (Watanabe et al.
// 2017). Not normalised: a text's score is the sum of those of the models (StepOutput::log_probs). The first term is
// the main one: it gives the vocabulary, the attention, the candidates (of which the others then score no more), and
// says who waits. A term of weight 0 is run, and changes nothing.
class LogLinear final : public StepDecoder {
 public:
  // Throws ConfigError without terms, and for weights, floors, tokens and numbers of waiting sentences that do not fit.
  explicit LogLinear(std::vector<Term> terms);

  // Asks every term for its whole distribution.
  StepOutput step(std::span<const int32_t> tokens, int64_t best = kAll) override;
  void reorder(std::span<const int32_t> from) override;
  int64_t vocabulary() const override { return terms_.front().decoder->vocabulary(); }
  int64_t waiting() const override { return terms_.front().decoder->waiting(); }
  void admit(int64_t n) override;

 private:
  std::vector<Term> terms_;
};

}  // namespace lookback::decode
