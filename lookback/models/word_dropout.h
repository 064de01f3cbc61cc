// Private to models: word dropout.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/base/rng.h"
#include "lookback/data/vocab.h"

namespace lookback {

// Tokens become <unk>, each with the same chance; <s> stays. Without noise nothing happens.
inline void drop_words(std::vector<int32_t>& ids, double rate, Noise* noise) {
  if (!noise || rate == 0) return;
  Rng rng(noise->seed, noise->next().stream);
  for (int32_t& id : ids)
    if (rng.uniform() < rate && id != data::kBos) id = data::kUnk;
}

}  // namespace lookback
