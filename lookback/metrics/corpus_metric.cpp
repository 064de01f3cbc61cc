#include "lookback/metrics/corpus_metric.h"

#include <cstdio>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/base/parallel.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

std::string reference_count(const SegmentReferences& references) {
  const size_t first = references.lines.front().size();
  for (const Lines& lines : references.lines)
    if (lines.size() != first) return "var";
  return std::to_string(first);
}

template <class Where>
void check_line(const CorpusMetric& metric, std::string_view line, Where where) {
  try {
    metric.check_line(line);
  } catch (const FormatError& e) {
    throw FormatError(where() + ": " + e.what());
  }
}

void check_input(const CorpusMetric& metric, const Lines& hypotheses, const SegmentReferences& references) {
  check<FormatError>(!hypotheses.empty(), "no hypotheses to score");
  check<FormatError>(hypotheses.size() == references.lines.size(), "there are ", hypotheses.size(),
                     " hypotheses and references for ", references.lines.size(), " segments; give one line for each");
  for (size_t i = 0; i < hypotheses.size(); ++i)
    check_line(metric, hypotheses[i], [&] { return str_cat("hypotheses line ", i + 1); });
  for (size_t i = 0; i < references.lines.size(); ++i) {
    const Lines& lines = references.lines[i];
    check<FormatError>(!lines.empty(), "references line ", i + 1, ": there is no reference; give at least one");
    for (size_t r = 0; r < lines.size(); ++r)
      check_line(metric, lines[r], [&] { return str_cat("reference ", r + 1, " line ", i + 1); });
  }
}

}  // namespace

void CorpusMetric::check_line(std::string_view line) const { decode_utf8(line); }

std::vector<Stats> CorpusMetric::segments(const Lines& hypotheses, const SegmentReferences& references) const {
  std::vector<Stats> out(hypotheses.size());
  parallel_for(static_cast<int64_t>(out.size()), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = segment(hypotheses[i], references.lines[i]);
  });
  return out;
}

SegmentReferences by_segment(const References& references) {
  check<FormatError>(!references.empty(), "no references to score against");
  const size_t n = references.front().size();
  for (size_t r = 0; r < references.size(); ++r)
    check<FormatError>(references[r].size() == n, "reference ", r + 1, " has ", references[r].size(),
                       " lines, reference 1 has ", n, "; give one line for each segment");
  SegmentReferences out;
  out.lines.resize(n);
  for (size_t i = 0; i < n; ++i)
    for (const Lines& lines : references) out.lines[i].push_back(lines[i]);
  return out;
}

std::string format_score(const Score& score, int digits, std::string_view signature) {
  std::string out = score.name;
  if (!signature.empty()) out += "|" + std::string(signature);
  out += " = " + fixed(score.value, digits);
  if (score.ci >= 0) out += " (μ = " + fixed(score.mean, digits) + " ± " + fixed(score.ci, digits) + ")";
  if (!score.details.empty()) out += " " + score.details;
  return out;
}

std::string signature_of(const CorpusMetric& metric, const SegmentReferences& references, std::string_view extra) {
  std::string out = "nrefs:" + reference_count(references) + "|";
  if (!extra.empty()) out += std::string(extra) + "|";
  return out + metric.settings() + "|version:" + std::string(kVersion);
}

std::vector<Stats> segment_stats(const CorpusMetric& metric, const Lines& hypotheses,
                                 const SegmentReferences& references) {
  check_input(metric, hypotheses, references);
  return metric.segments(hypotheses, references);
}

Stats sum_stats(const std::vector<Stats>& segments) {
  Stats sum(segments.empty() ? 0 : segments.front().size(), 0.0);
  for (const Stats& s : segments)
    for (size_t k = 0; k < sum.size(); ++k) sum[k] += s[k];
  return sum;
}

Score score_of(const CorpusMetric& metric, const Stats& sum, const SegmentReferences& references) {
  Score score;
  score.name = metric.name();
  score.value = metric.score(sum);
  score.signature = signature_of(metric, references);
  score.details = metric.details(sum);
  score.text = format_score(score, 2);
  return score;
}

Score corpus_score(const CorpusMetric& metric, const Lines& hypotheses, const SegmentReferences& references) {
  return score_of(metric, sum_stats(segment_stats(metric, hypotheses, references)), references);
}

Score corpus_score(const CorpusMetric& metric, const Lines& hypotheses, const References& references) {
  return corpus_score(metric, hypotheses, by_segment(references));
}

Score sentence_score(const CorpusMetric& metric, const std::string& hypothesis, const Lines& references) {
  return corpus_score(metric, {hypothesis}, SegmentReferences{{references}});
}

}  // namespace lookback::metrics
