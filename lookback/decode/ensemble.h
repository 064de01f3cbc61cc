#pragma once

#include <memory>
#include <vector>

#include "lookback/decode/step_decoder.h"

namespace lookback::decode {

// How the distributions of several models become one.
enum class EnsembleMean {
  probabilities,      // log of the mean probability: what one model holds likely stays likely
  log_probabilities,  // mean of log-probabilities: what one model holds impossible stays impossible
};

// Several decoders of the same sentences and vocabulary as one. Attention is the
// mean over those that have it; their source positions must agree, and their
// candidates are taken to be the same. With decoders that give log_probs, so does this.
class Ensemble final : public StepDecoder {
 public:
  // Throws ConfigError if there are no decoders or their vocabularies differ.
  Ensemble(std::vector<std::unique_ptr<StepDecoder>> decoders, EnsembleMean mean);

  StepOutput step(std::span<const int32_t> tokens, int64_t) override;
  void reorder(std::span<const int32_t> from) override;
  int64_t vocabulary() const override { return decoders_.front()->vocabulary(); }
  int64_t waiting() const override { return decoders_.front()->waiting(); }
  void admit(int64_t n) override;

 private:
  std::vector<std::unique_ptr<StepDecoder>> decoders_;
  EnsembleMean mean_;
};

// The one decoder that there is, or an ensemble.
std::unique_ptr<StepDecoder> one_or_ensemble(std::vector<std::unique_ptr<StepDecoder>> decoders, EnsembleMean mean);

}  // namespace lookback::decode
