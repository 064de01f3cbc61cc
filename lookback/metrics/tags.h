// Scores of sequences of tags, one sequence a line with white space between the tags.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/metrics/classification.h"
#include "lookback/metrics/corpus_metric.h"
#include "lookback/metrics/label_metrics.h"

namespace lookback::metrics {

// Tokens [begin, end) of one type, as tags B, I, E and S before a hyphen mark them.
struct TaggedSpan {
  std::string type;
  int64_t begin, end;
  auto operator<=>(const TaggedSpan&) const = default;
};
// Those that conlleval and seqeval 1.2 (without mode="strict") find, also in tags that no scheme allows: I-X behind
// something else begins a span.
std::vector<TaggedSpan> spans_of(const std::vector<std::string>& tags);

// The tags of a line. Throws FormatError unless it is UTF-8.
std::vector<std::string> tags_of_line(std::string_view line);

// Spans of each type that are right, gold and predicted; a span is right if its type, begin and end are. Types in byte
// order.
struct SpanCounts {
  std::string type;
  ClassCounts counts;
};
std::vector<SpanCounts> spans_by_type(const Lines& hypotheses, const Lines& references);

// Precision, recall and F1 of all spans together (micro), in percent; 0 where it is divided by 0. Of several
// references the first counts, here and below. Stats: [correct, gold, predicted].
std::unique_ptr<CorpusMetric> make_span_precision();
std::unique_ptr<CorpusMetric> make_span_recall();
std::unique_ptr<CorpusMetric> make_span_f1();

// The share of tags that are right, and the mean over tags of F1, in percent. A tag that a hypothesis lacks is wrong,
// one too many is passed over. `tags`: all that there are, with a blank for separator (see collect_labels). Throws
// FormatError for more than 1,000.
std::unique_ptr<CorpusMetric> make_tag_accuracy();
std::unique_ptr<CorpusMetric> make_tag_macro_f1(const LabelLines& tags);

// Of tags that restore case and punctuation, such as "Capital," and "lower": F1 of words that are not in lower case,
// but for the first of a line; and the mean over the marks . , ? ! of F1, those that are nowhere left out.
std::unique_ptr<CorpusMetric> make_capital_f1();
std::unique_ptr<CorpusMetric> make_mark_f1();

}  // namespace lookback::metrics
