// Answers to questions, scored as SQuAD does (Rajpurkar et al. 2016, "SQuAD: 100,000+ questions for machine
// comprehension of text"; Rajpurkar et al. 2018, "Know what you don't know: unanswerable questions for SQuAD").
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

// In lower case, without ASCII punctuation, then without the words a, an and the, one space between words. Throws
// FormatError for text that is not UTF-8.
std::string normalized_answer(std::string_view answer);

// Both compare normalised answers and take the best of several references. Questions may have unequal numbers of them:
// a reference of which normalisation leaves nothing counts only where it does so with all, and then says that there is
// no answer. Equal to the evaluation script of SQuAD 2.0, and to that of 1.1 but for answers of which nothing is left.

// Percent of answers that equal a reference. Stats: [matches, answers].
std::unique_ptr<CorpusMetric> make_exact_match();
// 100 * F1, the mean over answers: words of either side match as often as in the side where they are rarer. No answer
// against none is 1, against one 0. Stats: [F1, answers].
std::unique_ptr<CorpusMetric> make_answer_f1();

}  // namespace lookback::metrics
