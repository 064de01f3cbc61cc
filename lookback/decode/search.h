// Search: the best, or random, outputs of a model that is known as a StepDecoder.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/decode/hypothesis.h"
#include "lookback/decode/search_options.h"
#include "lookback/decode/step_decoder.h"

namespace lookback::decode {

// Outputs per sentence, in the order of `sources` (source b is the decoder's row b).
//
// beam = 1: greedy; the likeliest token at every step, ending with eos.
// beam > 1: at every step the `beam` likeliest continuations without eos stay
//   open; an eos among the `beam` likeliest of all ends an output. Up to n_best
//   outputs, best score first, all distinct. When a sentence stops, see
//   SearchOptions::stop; `exact` gives what `never` gives, and sooner.
// sample: n_best independent draws, in the order of drawing, perhaps equal.
//
// Rules for all of them. Log-probabilities are the model's own: nothing that
// constraints forbid is renormalised away, so a score is comparable with
// force_score. A repetition penalty is different: choices and scores are then
// those of the softmax of the penalised logits, while log-probabilities of
// outputs and tokens stay the model's own. It comes first, then what is forbidden,
// then temperature, top_k, top_p and min_p. The prefix comes first whatever it
// holds or costs; n-gram blocking spares it but counts it, and the context before
// it. An output that SourceInfo::ends accepts is finished; in a beam it takes,
// for that step, the place of the open hypothesis it would have been. Where constraints forbid every token, eos is
// allowed even before min_length. At the length limit one more step may still choose eos; an output that does not is
// unfinished. A beam returns unfinished outputs (finished = false) only if no output of that sentence finished. Of
// equal scores the smaller token, then the earlier row, then the earlier end wins.
//
// A sentence's result does not depend, in any bit, on the other sentences or on
// threads, if the decoder's rows do not. Finished sentences leave the batch, and
// as many that wait in the decoder join: it searches as many at once as it starts with.
//
// Throws ConfigError (options, prefix), ShapeError (what the decoder gives does
// not fit) and NumericError (NaN, +inf or nothing but -inf in a row of logits),
// naming the sentence.
std::vector<std::vector<Hypothesis>> search(StepDecoder& decoder, const std::vector<SourceInfo>& sources,
                                            const SearchOptions& options);

// Log-probabilities and alignments of given outputs: targets[b], without bos and
// eos, for the decoder's row b. Every target ends with eos (unless the model has
// none). Of the options only specials, length_norm, length_penalty and
// coverage_penalty matter; of the sources only source_length. Throws as search
// does, and ConfigError for a token outside the vocabulary.
std::vector<Hypothesis> force_score(StepDecoder& decoder, const std::vector<SourceInfo>& sources,
                                    const std::vector<std::vector<int32_t>>& targets,
                                    const SearchOptions& options = {});

// Log-probabilities of many outputs of one sentence, without bos and eos, eos included in each: those of force_score,
// but what outputs begin with in common is computed once. The decoder has one row. Throws as force_score does.
std::vector<double> score_outputs(StepDecoder& decoder, const std::vector<std::vector<int32_t>>& outputs,
                                  const SearchOptions& options = {});

}  // namespace lookback::decode
