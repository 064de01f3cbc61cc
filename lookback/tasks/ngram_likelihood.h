// A text by a model of n-grams, in the accounting of metrics/perplexity.h.
#pragma once

#include "lookback/metrics/perplexity.h"
#include "lookback/models/ngram.h"

namespace lookback::tasks {

struct NgramLikelihood {
  metrics::LikelihoodSum all;    // words and the ends of sentences
  metrics::LikelihoodSum known;  // of these what training has seen: perplexity without unknown words
};

// Throws as NgramModel::score().
inline NgramLikelihood ngram_likelihood(const NgramModel& model, const Sentences& sentences) {
  const NgramScore score = model.score(sentences);
  NgramLikelihood out;
  out.all.add(score.nats, score.tokens);
  out.known.add(score.nats - score.unknown_nats, score.tokens - score.unknown);
  return out;
}

}  // namespace lookback::tasks
