// Private to decode: one token at random from a row of logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookback::decode {

// How the distribution is shaped, in this order, as Hugging Face has it: temperature, top_k, top_p, min_p.
struct Shaping {
  double temperature = 1;
  int64_t top_k = 0;  // 0: all; of equal logits the smaller tokens are kept
  double top_p = 1;   // the fewest likeliest tokens whose probabilities, after top_k, sum to at least this
  double min_p = 0;   // those at least this times as likely as the likeliest
};

// Reused from call to call.
struct DrawScratch {
  std::vector<float> probabilities;  // [V]
  std::vector<uint64_t> kept;
};

// The token at u in [0, 1) of the shaped distribution over the tokens that are
// not `excluded` (ascending); -1 if none of them can happen. Excluded tokens are
// taken out first, as if their logits were -inf.
int32_t draw(std::span<const float> logits, std::span<const int32_t> excluded, const Shaping& shaping, double u,
             DrawScratch& scratch);

}  // namespace lookback::decode
