// Word and character error rates (WER, CER) by Levenshtein distance.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lookback/base/fields.h"
#include "lookback/metrics/corpus_metric.h"

namespace lookback::metrics {

// What it takes to turn a reference into a hypothesis.
struct EditCounts {
  int64_t hits = 0, substitutions = 0, deletions = 0, insertions = 0;

  int64_t errors() const { return substitutions + deletions + insertions; }
  int64_t reference_length() const { return hits + substitutions + deletions; }
  // errors / reference length, as a fraction that may exceed 1; against an empty reference 0 if the hypothesis is
  // empty too, else 1.
  double rate() const;
  // As a metric adds them up over segments, and back.
  Stats stats() const;
  static EditCounts of(const Stats& stats);
  std::string details() const;  // "(sub = 1 del = 0 ins = 0 ref_len = 8)"
};

// Fewest errors; among those the alignment with the most hits. Time |hypothesis| * |reference|, memory |hypothesis|.
EditCounts edit_counts(std::u32string_view hypothesis, std::u32string_view reference);
// The same for token ids.
EditCounts edit_counts(std::span<const int64_t> hypothesis, std::span<const int64_t> reference);

struct ErrorRateOptions {
  bool lowercase = false;
  bool no_punct = false;

  void fields(FieldVisitor& v);
};

// The characters that are compared. Throws FormatError for text that is not UTF-8.
std::u32string prepared_line(std::string_view line, const ErrorRateOptions& options);

// Words are the runs between white space; characters are code points, with every run of white space taken as one
// space and none at the ends. Throw FormatError for text that is not UTF-8.
EditCounts word_edits(std::string_view hypothesis, std::string_view reference, const ErrorRateOptions& options = {});
EditCounts char_edits(std::string_view hypothesis, std::string_view reference, const ErrorRateOptions& options = {});

// Error rate = 100 (S + D + I) / N, summed over the corpus before dividing. Of several references each segment takes
// the one with the lowest rate (the first of equals). Lower is better. Equal to jiwer 4.0.0 where white space
// is single spaces and there is a word of reference; where several alignments have the fewest errors only their number
// is, as jiwer may take one with fewer hits.
// Stats: [hits, substitutions, deletions, insertions].
std::unique_ptr<CorpusMetric> make_wer(const ErrorRateOptions& options = {});
std::unique_ptr<CorpusMetric> make_cer(const ErrorRateOptions& options = {});

Score corpus_wer(const Lines& hypotheses, const References& references, const ErrorRateOptions& options = {});
Score corpus_cer(const Lines& hypotheses, const References& references, const ErrorRateOptions& options = {});

}  // namespace lookback::metrics
