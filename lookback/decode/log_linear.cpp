#include "lookback/decode/log_linear.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/decode/check_output.h"
#include "lookback/decode/row_scan.h"

namespace lookback::decode {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// A row of one term: log-probabilities of its own tokens.
class TermRow {
 public:
  TermRow(const StepOutput& out, int64_t row, RowScan& scan) {
    const int64_t columns = out.logits.dim(1);
    if (!out.candidates.empty()) candidates_ = out.candidates[static_cast<size_t>(row)];
    row_ = {out.logits.data<float>() + row * columns,
            candidates_.empty() ? static_cast<size_t>(columns) : candidates_.size()};
    scan_step(row_, out.log_probs, 0, {}, scan);
    fault_ = scan.fault, shift_ = scan.log_sum_exp;
  }
  bool good() const { return fault_ == RowFault::none || fault_ == RowFault::all_impossible; }
  double log_prob(int32_t token) const {
    if (token < 0 || fault_ == RowFault::all_impossible) return kImpossible;
    auto column = static_cast<size_t>(token);
    if (!candidates_.empty()) {
      const auto at = std::ranges::lower_bound(candidates_, token);
      if (at == candidates_.end() || *at != token) return kImpossible;
      column = static_cast<size_t>(at - candidates_.begin());
    }
    return std::min(0.0, static_cast<double>(row_[column]) - shift_);  // which rounding may lift above 0
  }
  size_t size() const { return row_.size(); }
  int32_t token(size_t column) const {
    return candidates_.empty() ? static_cast<int32_t>(column) : candidates_[column];
  }

 private:
  std::span<const float> row_;
  std::span<const int32_t> candidates_;
  RowFault fault_;
  double shift_;
};

int32_t own(const Term& term, int32_t token) {
  return term.token_of.empty() ? token : term.token_of[static_cast<size_t>(token)];
}

void check_term(const Term& term, size_t m, int64_t vocabulary, int64_t waiting) {
  check<ConfigError>(std::isfinite(term.weight) && term.weight >= 0, "LogLinear: term ", m, ": weight = ", term.weight,
                     " must be finite and not negative");
  check<ConfigError>(term.floor <= 0, "LogLinear: term ", m, ": floor = ", term.floor, " is above log 1 = 0");
  const int64_t V = term.decoder->vocabulary();
  check<ConfigError>(term.token_of.empty() ? V == vocabulary : std::ssize(term.token_of) == vocabulary,
                     "LogLinear: term ", m, ": its vocabulary of ", V, " tokens and token_of of ", term.token_of.size(),
                     " do not fit the vocabulary of ", vocabulary);
  for (const int32_t token : term.token_of)
    check<ConfigError>(-1 <= token && token < V, "LogLinear: term ", m, ": token_of holds ", token,
                       ", outside its vocabulary of ", V);
  check<ConfigError>(0 <= term.unknown && (term.unknown < V || V == 0), "LogLinear: term ", m,
                     ": unknown = ", term.unknown, " is outside its vocabulary of ", V);
  check<ConfigError>(term.decoder->waiting() == waiting, "LogLinear: term ", m, ": ", term.decoder->waiting(),
                     " sentences wait, and ", waiting, " in the first");
}

}  // namespace

LogLinear::LogLinear(std::vector<Term> terms) : terms_(std::move(terms)) {
  check<ConfigError>(!terms_.empty(), "LogLinear: needs at least one term");
  for (size_t m = 0; m < terms_.size(); ++m) check_term(terms_[m], m, vocabulary(), waiting());
  check<ConfigError>(terms_[0].token_of.empty(), "LogLinear: the first term's tokens are those of the sum");
}

StepOutput LogLinear::step(std::span<const int32_t> tokens, int64_t) {
  const int64_t N = std::ssize(tokens);
  std::vector<StepOutput> outputs;
  std::vector<int32_t> fed(tokens.size());
  for (const Term& term : terms_) {
    for (size_t n = 0; n < tokens.size(); ++n) {
      fed[n] = own(term, tokens[n]);
      if (fed[n] < 0) fed[n] = term.unknown;
    }
    outputs.push_back(term.decoder->step(fed, kAll));
    check_output(outputs.back(), N, term.decoder->vocabulary(), "LogLinear");
  }
  const int64_t columns = outputs[0].logits.dim(1);
  StepOutput out{Tensor({N, columns}), outputs[0].weights, outputs[0].candidates};
  out.log_probs = true;
  parallel_for(N, 8192 / std::max<int64_t>(1, columns), [&](int64_t begin, int64_t end) {
    RowScan scan;
    std::vector<double> sum(static_cast<size_t>(columns));
    for (int64_t n = begin; n < end; ++n) {
      std::fill(sum.begin(), sum.end(), 0.0);
      const TermRow main(outputs[0], n, scan);
      bool good = true;
      for (size_t m = 0; m < terms_.size(); ++m) {
        const Term& term = terms_[m];
        if (term.weight == 0) continue;
        const TermRow row(outputs[m], n, scan);
        good &= row.good();
        for (size_t k = 0; good && k < main.size(); ++k)
          sum[k] += term.weight * std::max(term.floor, row.log_prob(own(term, main.token(k))));
      }
      float* const to = out.logits.data<float>() + n * columns;
      for (size_t k = 0; k < sum.size(); ++k)
        to[k] = static_cast<float>(!good             ? std::numeric_limits<double>::quiet_NaN()  // search says where
                                   : k < main.size() ? sum[k]
                                                     : kImpossible);
    }
  });
  return out;
}

void LogLinear::reorder(std::span<const int32_t> from) {
  for (const Term& term : terms_) term.decoder->reorder(from);
}

void LogLinear::admit(int64_t n) {
  for (const Term& term : terms_) term.decoder->admit(n);
}

}  // namespace lookback::decode
