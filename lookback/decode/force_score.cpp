#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/decode/check_output.h"
#include "lookback/decode/row_scan.h"
#include "lookback/decode/search.h"
#include "lookback/decode/trellis.h"

namespace lookback::decode {
namespace {

// One target on its way through the model.
struct Forced {
  size_t sentence;
  int64_t node = Trellis::kRoot;
};

void check_targets(const std::vector<SourceInfo>& sources, const std::vector<std::vector<int32_t>>& targets,
                   const Specials& specials, int64_t vocabulary) {
  check(sources.size() == targets.size(), "force_score: ", targets.size(), " targets for ", sources.size(), " sources");
  check<ConfigError>(std::max(specials.bos, specials.eos) < vocabulary, "force_score: bos = ", specials.bos,
                     " or eos = ", specials.eos, " is outside the vocabulary of ", vocabulary);
  for (size_t b = 0; b < targets.size(); ++b)
    for (const int32_t token : targets[b])
      check<ConfigError>(token >= 0 && token < vocabulary, "force_score: target ", b, " holds token ", token,
                         ", outside the vocabulary of ", vocabulary);
}

Hypothesis finish(const Trellis& trellis, const Forced& target, const Scorer& scorer, const SearchOptions& options) {
  const int64_t node = target.node;
  Hypothesis h = trellis.hypothesis(node);
  const double coverage = options.coverage_penalty > 0 ? trellis.log_coverage(node) : 0;
  h.score = scorer.score(h.log_prob, trellis.length(node), coverage);
  check<NumericError>(!std::isnan(h.score), "force_score: sentence ", target.sentence, ": attention weights hold NaN");
  h.finished = options.specials.eos >= 0;
  if (h.finished) h.tokens.pop_back();
  return h;
}

// Log-sum-exp of every row; throws NumericError naming the target.
void scan_rows(const StepOutput& out, const std::vector<Forced>& active, int64_t step, std::vector<RowScan>& scans) {
  const Tensor& logits = out.logits;
  const int64_t V = logits.dim(1);
  scans.resize(active.size());
  parallel_for(static_cast<int64_t>(active.size()), 32768 / std::max<int64_t>(1, V), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      scan_step({logits.data<float>() + k * V, static_cast<size_t>(V)}, out.log_probs, 0, {},
                scans[static_cast<size_t>(k)]);
  });
  for (size_t k = 0; k < active.size(); ++k)
    check<NumericError>(scans[k].fault == RowFault::none, "force_score: sentence ", active[k].sentence, ", step ", step,
                        ": logits hold NaN or +inf, or nothing but -inf, or log-probabilities above 0");
}

}  // namespace

std::vector<Hypothesis> force_score(StepDecoder& decoder, const std::vector<SourceInfo>& sources,
                                    const std::vector<std::vector<int32_t>>& targets, const SearchOptions& options) {
  options.validate();
  const int64_t V = decoder.vocabulary();
  check_targets(sources, targets, options.specials, V);
  const int32_t eos = options.specials.eos;
  const auto steps_of = [&](size_t b) { return static_cast<int64_t>(targets[b].size()) + (eos >= 0 ? 1 : 0); };

  int64_t longest = 0;
  std::vector<Trellis> trellises;
  std::vector<Forced> active;
  std::vector<int32_t> from, tokens;
  std::vector<RowScan> scans;
  for (size_t b = 0; b < targets.size(); ++b) {
    longest = std::max(longest, steps_of(b));
    trellises.emplace_back(sources[b].source_length);
    active.push_back({b});
  }
  const Scorer scorer(options, longest);
  std::vector<Hypothesis> results(targets.size());

  for (int64_t step = 0;; ++step) {
    // Targets that have ended leave the batch.
    from.clear();
    size_t kept = 0;
    for (size_t k = 0; k < active.size(); ++k) {
      const Forced f = active[k];
      if (step == steps_of(f.sentence))
        results[f.sentence] = finish(trellises[f.sentence], f, scorer, options);
      else
        active[kept++] = f, from.push_back(static_cast<int32_t>(k));
    }
    if (kept == 0) return results;
    if (kept < active.size()) active.resize(kept), decoder.reorder(from);

    const auto at = static_cast<size_t>(step);
    tokens.clear();
    for (const Forced& f : active) tokens.push_back(step == 0 ? options.specials.bos : targets[f.sentence][at - 1]);
    const StepOutput out = decoder.step(tokens);
    check_output(out, static_cast<int64_t>(kept), V, "force_score");
    check(out.candidates.empty(), "force_score: a decoder with a shortlist cannot score what is given");
    scan_rows(out, active, step, scans);
    const auto T = static_cast<size_t>(out.weights.empty() ? 0 : out.weights.dim(1));
    for (size_t k = 0; k < active.size(); ++k) {
      Forced& f = active[k];
      check_source(static_cast<int64_t>(T), sources[f.sentence].source_length, options.coverage_penalty,
                   static_cast<int64_t>(f.sentence));
      const int32_t token = at < targets[f.sentence].size() ? targets[f.sentence][at] : eos;
      const double logit = static_cast<double>(out.logits.data<float>()[static_cast<int64_t>(k) * V + token]);
      Trellis& trellis = trellises[f.sentence];
      const int64_t weights = trellis.add_weights(weights_of(out).subspan(k * T, T));
      f.node = trellis.add(f.node, token, logit - scans[k].log_sum_exp, weights);
    }
  }
}

}  // namespace lookback::decode
