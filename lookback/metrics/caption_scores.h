// BLEU-1 to BLEU-4 and ROUGE-L as image captions are scored with them: equal to `Bleu` and `Rouge` of pycocoevalcap
// 1.2, which are other than "bleu" (sacreBLEU) and "rougel" (rouge_score).
#pragma once

#include <cstdint>
#include <memory>

#include "lookback/metrics/caption_words.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

// "bleuN", in percent: the geometric mean of the precisions of up to N words over all captions, times the brevity
// penalty against each caption's closest reference length (of equally close ones the shorter). Zero matches count
// as 1e-15. Throws ConfigError for N outside 1 to 4.
std::unique_ptr<CorpusMetric> make_caption_bleu(int64_t n, const CaptionOptions& options = {});

// "rouge_l", in percent: the mean over captions of F with beta = 1.2 of the best precision and the best recall over
// references (not necessarily of the same one). A caption without words has one empty word, as `Rouge` has it.
std::unique_ptr<CorpusMetric> make_caption_rouge_l(const CaptionOptions& options = {});

}  // namespace lookback::metrics
