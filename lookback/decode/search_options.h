#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::decode {

// Tokens with a meaning of their own; -1 where a model has none. bos is what the
// first step is fed; bos and pad are never generated (unless they are the eos).
struct Specials {
  int32_t unk = 0;
  int32_t bos = 1;
  int32_t eos = 2;
  int32_t pad = 3;
};

struct SearchOptions {
  int64_t beam = 4;
  int64_t n_best = 1;
  int64_t min_length = 0;
  int64_t max_length = 200;
  double max_length_factor = 2.0;
  int64_t max_length_offset = 10;
  std::string length_norm = "average";
  double length_penalty = 1.0;
  double coverage_penalty = 0.0;
  int64_t no_repeat_ngram = 0;
  double repetition_penalty = 1.0;
  std::string stop = "exact";
  bool allow_unk = true;
  bool sample = false;
  double temperature = 1.0;
  int64_t top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
  int64_t seed = 1;

  Specials specials;  // set by whoever knows the vocabulary, not by the user
  // Whether anybody looks at scores and log-probabilities. Greedy search then need not know how likely the other
  // tokens are: it is faster, its outputs are the same, and their scores are NaN. No option either.
  bool scores = true;

  void fields(FieldVisitor& v) {
    v("beam", beam, "hypotheses kept per sentence; 1 is greedy").range(1, 100000);
    v("n_best", n_best, "outputs per input: at most `beam`, or the number of samples").range(1, 100000);
    v("min_length", min_length, "fewest tokens before the end of sentence").range(0, 1e6);
    v("max_length", max_length, "most tokens before the end of sentence").range(0, 1e6);
    v("max_length_factor", max_length_factor,
      "also at most max_length_factor * source length + max_length_offset tokens; 0: no such limit")
        .range(0, 1e6);
    v("max_length_offset", max_length_offset, "see max_length_factor").range(0, 1e6);
    v("length_norm", length_norm,
      "score = log_prob / n, with n = 1 (none), ((5 + length) / 6)^length_penalty (gnmt) or length^length_penalty "
      "(average)")
        .choices({"none", "gnmt", "average"});
    v("length_penalty", length_penalty, "exponent of length_norm; larger prefers longer outputs").range(0, 100);
    v("coverage_penalty", coverage_penalty, "weight of the GNMT penalty for source positions never attended to")
        .range(0, 1000);
    v("no_repeat_ngram", no_repeat_ngram, "no n-gram of this size occurs twice; 0: off").range(0, 1000);
    v("repetition_penalty", repetition_penalty,
      "logits of tokens the output (or its context) already holds are divided by this where positive and multiplied "
      "where negative (Keskar et al. 2019); 1: off")
        .range(0.01, 100);
    v("stop", stop,
      "when a beam ends: exact (nothing open can still win), count (`beam` outputs have ended; faster) or never (only "
      "at the length limit)")
        .choices({"exact", "count", "never"});
    v("allow_unk", allow_unk, "whether the unknown word may be generated");
    v("sample", sample, "draw outputs at random; needs beam = 1, n_best is the number of draws");
    v("temperature", temperature, "sampling: logits are divided by this").range(1e-3, 1000);
    v("top_k", top_k, "sampling: only the k likeliest tokens; 0: all").range(0, 1e9);
    v("top_p", top_p, "sampling: only the fewest tokens whose probabilities sum to p (after top_k)").range(0, 1);
    v("min_p", min_p,
      "sampling: only tokens at least min_p times as likely as the likeliest one (after temperature, top_k and top_p; "
      "Nguyen et al. 2024); 0: off")
        .range(0, 1);
    v("seed", seed, "sampling: seed of the random numbers");
  }

  // Whether only the likeliest token of each step counts, and not how likely it is.
  bool only_best() const { return beam == 1 && !sample && !scores; }

  // Throws ConfigError, naming the options, for a value out of range or a
  // combination that cannot work.
  void validate() const;
};

// What search has to know about one sentence.
struct SourceInfo {
  int64_t source_length = -1;   // source positions the attention runs over; -1: no source, or unknown
  std::vector<int32_t> prefix;  // tokens the output begins with; may be longer than any length limit
  uint64_t key = 0;             // sampling: a sentence's draws depend on (seed, key, draw) alone; its index, say

  // Tokens before the output that are no part of it: a text the decoder has read already, say. They count for
  // repetition_penalty and no_repeat_ngram, as if the output began with them, and for nothing else. Any of the
  // vocabulary, special ones too: an eos among them makes the end itself less likely, as in Hugging Face's `generate`.
  std::vector<int32_t> context = {};
  // Says whether an output has ended after these tokens (prefix included, context not): such an output is finished
  // without an eos, and the last token belongs to it. Asked after every token past the prefix, once there are
  // min_length of them. Has to be a pure function. Empty: only eos ends.
  std::function<bool(std::span<const int32_t> tokens)> ends = {};
  // Called with each token of the output as it is chosen, neither for those of the prefix nor for eos. Only where no
  // choice is taken back: ConfigError unless beam = 1 and n_best = 1.
  std::function<void(int32_t token)> on_token = {};
};

// The most tokens an output of this sentence may have, eos not counted:
//   min(max_length, floor(max_length_factor * source_length) + max_length_offset),
// the second only where factor and source_length are known, but no fewer than
// min_length and no fewer than the prefix.
int64_t length_limit(const SearchOptions& options, const SourceInfo& source);

// Ranks the outputs of a sentence. A length counts scored steps: tokens, and
// the eos if there is one; so the mean log-probability is length_norm = average
// with length_penalty = 1.
class Scorer {
 public:
  Scorer(const SearchOptions& options, int64_t max_steps);

  // log_prob / norm(steps) + coverage_penalty * log_coverage, where
  //   norm(n) = 1, ((5 + n) / 6)^alpha (Wu et al. 2016, eq. 14) or n^alpha; norm(0) = norm(1).
  double score(double log_prob, int64_t steps, double log_coverage) const;

  // No hypothesis of at most max_steps steps that continues one of log-probability
  // log_prob can score higher.
  //
  // Proof. Let it end with log-probability l after n <= max_steps steps and
  // coverage term c. Every later token has log-probability <= 0 (or a score <= 0
  // where decoders say log_probs: sums of log-probabilities with weights >= 0, and
  // those of CTC, whose prefixes only get less likely; above 0 is an error), so
  // l <= log_prob <= 0. alpha >= 0 makes norm rise with the length, so
  // 0 < norm(n) <= norm(max_steps), hence
  //   l / norm(n) <= l / norm(max_steps) <= log_prob / norm(max_steps).
  // Coverage is beta * sum_i log min(., 1) with beta >= 0, so beta * c <= 0 and
  //   score = l / norm(n) + beta * c <= log_prob / norm(max_steps).
  // For `none` norm is 1: the bound is log_prob itself. In floating point sums
  // and quotients are monotone too, and norm is kept so by a running maximum. A
  // negative alpha would turn the second inequality round; it is refused. []
  double bound(double log_prob, int64_t max_steps) const { return log_prob / norms_[static_cast<size_t>(max_steps)]; }

 private:
  std::vector<double> norms_;  // [max_steps + 1]
  double coverage_penalty_;
};

}  // namespace lookback::decode
