// Private to decode and models: one pass over a row of logits: log-sum-exp and the k best tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookback::decode {

struct Candidate {
  float logit;
  int32_t token;
};

// Larger logit first, then smaller token.
inline bool ranks_before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

enum class RowFault { none, not_a_number, all_impossible, above_zero };

struct RowScan {
  double log_sum_exp = 0;  // over the whole row; error about 3e-7. The largest logit if it was not asked for
  RowFault fault =
      RowFault::none;          // not_a_number: NaN or +inf; all_impossible: nothing but -inf; above_zero: scan_step
  std::vector<Candidate> top;  // best first; never -inf, never excluded
};

// Without the sum nothing is known about probabilities, and a row is read in less time.
enum class ScanFor { best_and_sum, best };

// Reads `logits` [V] once and finds the k best of those not `excluded`
// (ascending). Depends on the row alone. `out` is reused, not reallocated.
void scan_row(std::span<const float> logits, int64_t k, std::span<const int32_t> excluded, RowScan& out,
              ScanFor what = ScanFor::best_and_sum);

// The same for a row of a StepOutput: `log_probs`, which need no sum, have a log_sum_exp of 0, and the fault above_zero
// if one of them is.
void scan_step(std::span<const float> logits, bool log_probs, int64_t k, std::span<const int32_t> excluded,
               RowScan& out, ScanFor what = ScanFor::best_and_sum);

// out[i] = e^((x[i] - shift) * scale), for x[i] <= shift; returns the sum.
double exponentials(std::span<const float> x, float shift, float scale, float* out);

}  // namespace lookback::decode
