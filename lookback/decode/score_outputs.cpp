#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/error.h"
#include "lookback/decode/check_output.h"
#include "lookback/decode/row_scan.h"
#include "lookback/decode/search.h"

namespace lookback::decode {
namespace {

// Outputs begin .. end of the sorted ones, which have their first tokens in common.
struct Shared {
  size_t begin, end;
  double log_prob = 0;  // of these tokens
};

}  // namespace

std::vector<double> score_outputs(StepDecoder& decoder, const std::vector<std::vector<int32_t>>& outputs,
                                  const SearchOptions& options) {
  options.validate();
  const int32_t eos = options.specials.eos;
  const int64_t V = decoder.vocabulary();
  for (size_t k = 0; k < outputs.size(); ++k)
    for (const int32_t token : outputs[k])
      check<ConfigError>(token >= 0 && token < V, "score_outputs: output ", k, " holds token ", token,
                         ", outside the vocabulary of ", V);
  std::vector<double> out(outputs.size());
  if (outputs.empty()) return out;
  std::vector<size_t> order(outputs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return outputs[a] < outputs[b]; });

  std::vector<Shared> open{{0, outputs.size()}}, next;
  std::vector<int32_t> tokens{options.specials.bos}, from;
  RowScan scan;
  for (size_t depth = 0; !open.empty(); ++depth) {
    const StepOutput step = decoder.step(tokens);
    check_output(step, std::ssize(open), V, "score_outputs");
    check(step.candidates.empty(), "score_outputs: a decoder with a shortlist cannot score what is given");
    next.clear(), tokens.clear(), from.clear();
    for (size_t n = 0; n < open.size(); ++n) {
      const std::span row(step.logits.data<float>() + static_cast<int64_t>(n) * V, static_cast<size_t>(V));
      scan_step(row, step.log_probs, 0, {}, scan);
      check<NumericError>(scan.fault == RowFault::none, "score_outputs: step ", depth,
                          ": logits hold NaN or +inf, or nothing but -inf, or log-probabilities above 0");
      const auto after = [&](int32_t token) {
        return open[n].log_prob + static_cast<double>(row[static_cast<size_t>(token)]) - scan.log_sum_exp;
      };
      size_t k = open[n].begin;
      for (; k < open[n].end && outputs[order[k]].size() == depth; ++k)  // those that end here stand first
        out[order[k]] = eos >= 0 ? after(eos) : open[n].log_prob;
      while (k < open[n].end) {
        const int32_t token = outputs[order[k]][depth];
        const size_t begin = k;
        while (k < open[n].end && outputs[order[k]][depth] == token) ++k;
        next.push_back({begin, k, after(token)});
        tokens.push_back(token), from.push_back(static_cast<int32_t>(n));
      }
    }
    if (!next.empty()) decoder.reorder(from);
    std::swap(open, next);
  }
  return out;
}

}  // namespace lookback::decode
