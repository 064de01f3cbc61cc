// Strings against the strings they should be: word and symbol error rates, as pronunciation and inflection report them.
#pragma once

#include <memory>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

struct SymbolOptions {
  std::string unit = "char";

  void fields(FieldVisitor& v);
};

// Both compare sequences of symbols: code points, white space at the ends left out, or words, the runs between white
// space. Lower is better.

// Percent of segments that equal none of their references. Stats: [errors, segments].
std::unique_ptr<CorpusMetric> make_word_error_rate(const SymbolOptions& options = {});
// 100 * edits / symbols of the reference, summed over the corpus before dividing. Of several references each segment
// takes the one with the fewest edits, of equals the longest. Stats: [hits, substitutions, deletions, insertions].
std::unique_ptr<CorpusMetric> make_symbol_error_rate(const SymbolOptions& options = {});

}  // namespace lookback::metrics
