// Private to tasks: the steps of one translation in numbers, as `explain --steps` prints them.
#pragma once

#include <string>
#include <vector>

#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {

// Every step of writing the one target of a batch: gates and states of the decoder's cells (the first few units), what
// each source position scores and weighs, context, readout and the likeliest next tokens; of a model that copies how
// likely it is to. own_words: what ids behind the target's vocabulary stand for.
std::string steps_of(const Seq2Seq& model, const Tokenizers& tokenizers, const Seq2SeqBatch& pair,
                     const StringList& own_words);

}  // namespace lookback::tasks
