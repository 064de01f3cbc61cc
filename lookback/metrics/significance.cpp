#include "lookback/metrics/significance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/error.h"
#include "lookback/metrics/numpy_random.h"
#include "lookback/metrics/options_check.h"

namespace lookback::metrics {
namespace {

constexpr double kMaxSamples = 10'000'000;

void add(Stats& sum, const Stats& s) {
  for (size_t k = 0; k < sum.size(); ++k) sum[k] += s[k];
}

Interval interval_of(std::vector<double> scores) {
  std::sort(scores.begin(), scores.end());
  const size_t skip = scores.size() / 40;
  Interval out;
  out.lower = scores[skip], out.upper = scores[scores.size() - skip - 1];
  out.ci = 0.5 * (out.upper - out.lower);
  out.mean = std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
  return out;
}

// The share of trials more extreme than what was observed. The +1 is the observation itself: it keeps the chance of
// a false alarm at or below the level of the test.
double p_value(const std::vector<double>& trials, double observed) {
  if (observed == 0) return 1;
  const auto extreme = std::count_if(trials.begin(), trials.end(), [&](double t) { return t > observed; });
  return static_cast<double>(extreme + 1) / static_cast<double>(trials.size() + 1);
}

double bootstrap_p(const std::vector<double>& a, const std::vector<double>& b, double observed) {
  std::vector<double> trials(a.size());
  for (size_t k = 0; k < a.size(); ++k) trials[k] = std::abs(a[k] - b[k]);
  const double mean = std::accumulate(trials.begin(), trials.end(), 0.0) / static_cast<double>(trials.size());
  for (double& t : trials) t -= mean;
  return p_value(trials, observed);
}

double randomization_p(const CorpusMetric& metric, const std::vector<Stats>& a, const std::vector<Stats>& b,
                       const BootstrapOptions& options) {
  NumpyRandom random(static_cast<uint64_t>(options.seed));
  NumpyRandom::Bits coin(random);
  std::vector<double> trials(options.samples);
  for (double& trial : trials) {
    Stats x(a.front().size(), 0.0), y = x;
    for (size_t i = 0; i < a.size(); ++i) {
      const bool keep = coin.next();
      add(x, keep ? a[i] : b[i]);
      add(y, keep ? b[i] : a[i]);
    }
    trial = std::abs(metric.score(x) - metric.score(y));
  }
  return p_value(trials, std::abs(metric.score(sum_stats(a)) - metric.score(sum_stats(b))));
}

std::vector<Stats> system_stats(const CorpusMetric& metric, const System& system, const SegmentReferences& references) {
  try {
    return segment_stats(metric, system.hypotheses, references);
  } catch (const FormatError& e) {
    throw FormatError(str_cat("system '", system.name, "': ", e.what()));
  }
}

}  // namespace

void BootstrapOptions::fields(FieldVisitor& v) {
  v("samples", samples, "resamples of the test set").range(1, kMaxSamples);
  v("seed", seed, "seed of the resamples").range(0, 9e18);
}

void PairedOptions::fields(FieldVisitor& v) {
  v("test", test, "paired bootstrap (bs) or approximate randomization (ar)").choices({"bs", "ar"});
  v("samples", samples, "resamples or random exchanges; 0 means 1000 for bs, 10000 for ar").range(0, kMaxSamples);
  v("confidence", confidence, "with ar: resamples for a confidence interval; 0 means none").range(0, kMaxSamples);
  v("seed", seed, "seed of the resamples").range(0, 9e18);
}

std::vector<double> bootstrap_scores(const CorpusMetric& metric, const std::vector<Stats>& segments,
                                     const BootstrapOptions& options) {
  BootstrapOptions o = options;
  check_options("bootstrap", o);
  check<FormatError>(!segments.empty(), "bootstrap: there are no segments");
  NumpyRandom random(static_cast<uint64_t>(o.seed));
  std::vector<double> scores(o.samples);
  for (double& score : scores) {
    Stats sum(segments.front().size(), 0.0);
    for (size_t i = 0; i < segments.size(); ++i) add(sum, segments[random.below(segments.size())]);
    score = metric.score(sum);
  }
  return scores;
}

Interval bootstrap_interval(const CorpusMetric& metric, const std::vector<Stats>& segments,
                            const BootstrapOptions& options) {
  return interval_of(bootstrap_scores(metric, segments, options));
}

Interval bootstrap_interval(int64_t n, const std::function<double(std::span<const int64_t>)>& score,
                            const BootstrapOptions& options) {
  BootstrapOptions o = options;
  check_options("bootstrap", o);
  check<FormatError>(n > 0, "bootstrap: there are no examples");
  NumpyRandom random(static_cast<uint64_t>(o.seed));
  std::vector<double> scores(o.samples);
  std::vector<int64_t> drawn(static_cast<size_t>(n));
  for (double& s : scores) {
    for (int64_t& k : drawn) k = static_cast<int64_t>(random.below(static_cast<uint64_t>(n)));
    s = score(drawn);
  }
  return interval_of(std::move(scores));
}

Score corpus_score_with_interval(const CorpusMetric& metric, const Lines& hypotheses, const References& references,
                                 const BootstrapOptions& options) {
  return corpus_score_with_interval(metric, hypotheses, by_segment(references), options);
}

Score corpus_score_with_interval(const CorpusMetric& metric, const Lines& hypotheses, const SegmentReferences& by_line,
                                 const BootstrapOptions& options) {
  const std::vector<Stats> stats = segment_stats(metric, hypotheses, by_line);
  Score score = score_of(metric, sum_stats(stats), by_line);
  const Interval interval = bootstrap_interval(metric, stats, options);
  score.mean = interval.mean, score.ci = interval.ci;
  score.signature = signature_of(metric, by_line, str_cat("bs:", options.samples, "|seed:", options.seed));
  score.text = format_score(score, 2);
  return score;
}

PairedReport paired_test(const CorpusMetric& metric, const std::vector<System>& systems, const References& references,
                         const PairedOptions& options) {
  PairedOptions o = options;
  check_options("paired test", o);
  check<ConfigError>(systems.size() >= 2, "paired test: there are ", systems.size(), " systems; give two or more");
  const bool bootstrap = o.test == "bs";
  if (o.samples == 0) o.samples = bootstrap ? 1000 : 10000;
  const int64_t resamples = bootstrap ? o.samples : o.confidence;
  const SegmentReferences by_line = by_segment(references);

  PairedReport report{.metric = metric.name()};
  const std::string confidence = !bootstrap && resamples > 0 ? str_cat("bs:", resamples, "|") : "";
  report.signature = signature_of(metric, by_line, str_cat(confidence, o.test, ":", o.samples, "|seed:", o.seed));
  std::vector<Stats> baseline;
  std::vector<double> baseline_scores;
  for (const System& system : systems) {
    const std::vector<Stats> stats = system_stats(metric, system, by_line);
    PairedResult result{.system = system.name, .score = metric.score(sum_stats(stats))};
    std::vector<double> scores;
    if (resamples > 0) {
      scores = bootstrap_scores(metric, stats, {.samples = resamples, .seed = o.seed});
      result.interval = interval_of(scores);
    }
    if (report.results.empty()) {
      baseline = stats, baseline_scores = scores;
    } else if (bootstrap) {
      result.p_value = bootstrap_p(baseline_scores, scores, std::abs(report.results[0].score - result.score));
    } else {
      result.p_value = randomization_p(metric, baseline, stats, {.samples = o.samples, .seed = o.seed});
    }
    report.results.push_back(std::move(result));
  }
  return report;
}

}  // namespace lookback::metrics
