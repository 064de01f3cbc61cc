// CIDEr-D (Vedantam, Zitnick, Parikh 2015, "CIDEr: consensus-based image description evaluation"), equal to `Cider` of
// pycocoevalcap 1.2.
#pragma once

#include <memory>

#include "lookback/metrics/caption_words.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

// "cider_d": for each caption ten times the mean over references and over 1 to 4 words of the cosine of TF-IDF
// vectors, clipped at the reference's, times a Gaussian (sigma 6) of the difference in length; the mean over captions.
// Not in percent: from 0 to 10, and people reach about 1. In how many images' references an n-gram stands is counted
// over all that are scored together: the sums of one segment depend on the others, and alone it scores 0. Samples
// of a confidence interval keep the counts of the whole.
std::unique_ptr<CorpusMetric> make_cider_d(const CaptionOptions& options = {});

}  // namespace lookback::metrics
