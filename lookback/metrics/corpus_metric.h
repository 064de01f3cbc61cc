// What every text metric shares: a segment becomes a few sums, sums add up over segments, and a score is a function
// of the added sums. So a corpus, a sentence, a bootstrap sample and a shuffled system are scored by the same code.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lookback::metrics {

// Ends every signature. Scores equal those of sacreBLEU 2.6.0 with the same keys.
inline constexpr std::string_view kVersion = "lookback-0.1.0";

using Lines = std::vector<std::string>;  // one segment per line, UTF-8
using References = std::vector<Lines>;   // references[r][line]
using Stats = std::vector<double>;       // the sums of one segment, or of many

// The references of every segment: lines[i] holds one or more for segment i, not necessarily as many for each.
struct SegmentReferences {
  std::vector<Lines> lines;
};

// Throws FormatError when there is no reference or the references differ in length.
SegmentReferences by_segment(const References& references);

// Methods are const and may run on several threads at once.
class CorpusMetric {
 public:
  virtual ~CorpusMetric() = default;
  virtual std::string name() const = 0;      // "BLEU", "chrF2++", "TER", ...
  virtual std::string settings() const = 0;  // the middle of the signature: "case:mixed|eff:no|tok:13a|smooth:exp"
  virtual bool higher_is_better() const = 0;
  // Throws FormatError for a line, of a hypothesis or a reference, that segment() cannot take: one that is not UTF-8.
  virtual void check_line(std::string_view line) const;
  // Sums of one segment against one or more references. Throws FormatError as check_line does.
  virtual Stats segment(std::string_view hypothesis, std::span<const std::string> references) const = 0;
  // The same of many, several at once. For a metric whose sums of one segment depend on the others it is another thing
  // than segment() of each. As many hypotheses as references have lines, all of them checked.
  virtual std::vector<Stats> segments(const Lines& hypotheses, const SegmentReferences& references) const;
  // The score of added sums, in percent where it is a share.
  virtual double score(const Stats& sum) const = 0;
  // What is printed behind the score; may be empty.
  virtual std::string details(const Stats&) const { return ""; }
};

struct Score {
  std::string name;       // "BLEU"
  double value = 0;       // percent where it is a share
  std::string signature;  // "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:lookback-0.1.0"
  std::string text;       // "BLEU = 39.53 70.1/45.3/... (BP = 1.000 ratio = ... hyp_len = ... ref_len = ...)"
  std::string details;    // the part of text behind the value
  double mean = 0;        // of bootstrap samples, see significance.h
  double ci = -1;         // half the width of their central 95 %; negative when there are none
};

// sacreBLEU's one line: "NAME|SIGNATURE = 39.5 (μ = 39.4 ± 1.2) DETAILS", with `digits` after the point. The
// signature and the bootstrap part appear when `signature` is not empty and when score.ci is not negative.
std::string format_score(const Score& score, int digits, std::string_view signature = "");

// "nrefs:N|EXTRA|SETTINGS|version:..."; `extra` is "" or something like "bs:1000|seed:12345". nrefs is "var" when
// the segments have unequal numbers of references.
std::string signature_of(const CorpusMetric& metric, const SegmentReferences& references, std::string_view extra = "");

// Sums per segment. Throws FormatError when counts differ, a segment has no reference, there are no segments, or
// check_line refuses a line (naming it). Segments run in parallel; the result does not depend on the number of threads.
std::vector<Stats> segment_stats(const CorpusMetric& metric, const Lines& hypotheses,
                                 const SegmentReferences& references);
Stats sum_stats(const std::vector<Stats>& segments);

// Name, value, signature and text of added sums.
Score score_of(const CorpusMetric& metric, const Stats& sum, const SegmentReferences& references);

// The whole way from lines to a score. Throws what segment_stats throws.
Score corpus_score(const CorpusMetric& metric, const Lines& hypotheses, const References& references);
Score corpus_score(const CorpusMetric& metric, const Lines& hypotheses, const SegmentReferences& references);
Score sentence_score(const CorpusMetric& metric, const std::string& hypothesis, const Lines& references);

}  // namespace lookback::metrics
