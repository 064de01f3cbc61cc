// Private to tasks: the steps of one translation in numbers, as `explain --steps` prints them.
#pragma once

#include <string>
#include <vector>

#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {

// A source as ids, and how it is written where the model reads that.
struct SourceIds {
  std::vector<int32_t> tokens, spelling;
};

// Every step of writing `target` for `source`: gates and states of the decoder's cells (the first few units), what each
// source position scores and weighs, context, readout and the likeliest next tokens.
std::string steps_of(const Seq2Seq& model, const Tokenizers& tokenizers, const SourceIds& ids,
                     const std::vector<int32_t>& target);

}  // namespace lookback::tasks
