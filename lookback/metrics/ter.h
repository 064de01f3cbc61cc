// TER, translation edit rate (Snover et al. 2006, "A study of translation edit rate with targeted human annotation"),
// as sacreBLEU and, but for extreme lengths, Tercom compute it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

struct TerOptions {
  bool normalized = false;
  bool no_punct = false;
  bool asian_support = false;
  bool case_sensitive = false;

  void fields(FieldVisitor& v);
};

// TER = 100 * edits / reference length. Edits are insertions, deletions, substitutions and shifts of a block of words,
// each of cost 1; shifts are found greedily, the best first, under Tercom's limits (blocks up to 10 words, distance up
// to 50, beam 25, 1000 candidates). Several references: the fewest edits over the mean length. Lower is better.
// Stats: [edits, reference length].
std::unique_ptr<CorpusMetric> make_ter(const TerOptions& options = {});

// references[r][line]. Throws FormatError as segment_stats does.
Score corpus_ter(const Lines& hypotheses, const References& references, const TerOptions& options = {});
Score sentence_ter(const std::string& hypothesis, const Lines& references, const TerOptions& options = {});

// Edits, shifts included, that make `hypothesis` into `reference`; both are words by number.
int64_t translation_edits(std::u32string hypothesis, const std::u32string& reference);

}  // namespace lookback::metrics
