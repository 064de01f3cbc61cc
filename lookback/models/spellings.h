// Private to models: how texts are written, for a front.
#pragma once

#include "lookback/models/sentences.h"
#include "lookback/nn/front.h"

namespace lookback {

// What data::Spelling says of some texts, token by token, in the order of `index`.
// Throws ShapeError for a text that begins with a character.
Spellings spellings_of(const Sentences& texts, const std::vector<int32_t>& index);

// The texts in another order.
Sentences permuted(const Sentences& texts, const std::vector<int32_t>& index);

// All of them in another order, one after the other.
std::vector<int32_t> flattened(const Sentences& texts, const std::vector<int32_t>& index);

}  // namespace lookback
