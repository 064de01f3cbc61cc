#pragma once

#include <cstdint>
#include <vector>

#include "lookback/tensor/tensor.h"

namespace lookback::decode {

// One output of a model. If SearchOptions::scores is off, a greedy one has no token_log_probs, and NaN for the other
// scores. U is the number of scored steps: tokens.size(), plus 1
// for the end of sentence when `finished` and not `stopped`.
struct Hypothesis {
  std::vector<int32_t> tokens;  // without bos and eos
  double score = 0;  // what search ranks by: log_prob under length and coverage penalty. With a repetition_penalty it
                     // is taken of the penalised distribution, the softmax of the penalised logits
  double log_prob = 0;                  // sum of token_log_probs
  std::vector<double> token_log_probs;  // [U] natural log; the model's own, before repetition_penalty, temperature,
                                        // top_k, top_p and min_p
  Tensor alignment;  // f32 [U, T]: row u is the attention of the step that gave token u (the last row that of eos);
                     // T is the sentence's source_length, or what the model gives if that is unknown; empty without
                     // attention
  bool finished = false;  // ended by eos or SourceInfo::ends, not by the length limit
  bool stopped = false;   // finished by SourceInfo::ends, without an eos
};

// An unknown word in an output and the source position to copy it from.
struct UnknownSource {
  int64_t position;  // in Hypothesis::tokens
  int64_t source;    // where that step's attention is largest (the first of equals); -1 if it is zero or absent
};

// Every token equal to `unk`, with its source: replacement of unknown words by
// alignment (Luong et al. 2015, "Addressing the rare word problem").
std::vector<UnknownSource> unknown_sources(const Hypothesis& hypothesis, int32_t unk);

}  // namespace lookback::decode
