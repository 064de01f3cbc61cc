#include "lookback/nn/adaptive_softmax.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/ops/basic.h"

namespace lookback {
namespace {

// Rows of logits become log-probabilities.
void normalise(const Tensor& logits) {
  for (int64_t n = 0; n < logits.dim(0); ++n) elementary::log_softmax(logits.rows(n, n + 1).span<float>());
}

}  // namespace

AdaptiveSoftmax::AdaptiveSoftmax(int64_t width, int64_t vocabulary, std::vector<int64_t> cutoffs, double div_value,
                                 const std::string& where)
    : cutoffs_(std::move(cutoffs)) {
  cutoffs_.push_back(vocabulary);
  for (size_t k = 0; k + 1 < cutoffs_.size(); ++k)
    check<ConfigError>(cutoffs_[k] > (k ? cutoffs_[k - 1] : 0) && cutoffs_[k] < vocabulary, where, ": ", cutoffs_[k],
                       " does not lie between ", k ? cutoffs_[k - 1] : 0, " and the vocabulary of ", vocabulary,
                       "; cutoffs rise");
  const auto clusters = static_cast<int64_t>(cutoffs_.size()) - 1;
  head_ = Linear(width, cutoffs_[0] + clusters, Linear::Bias::no);
  double inner = static_cast<double>(width);
  for (size_t k = 0; k + 1 < cutoffs_.size(); ++k) {
    inner /= div_value;
    const int64_t units = std::max<int64_t>(1, static_cast<int64_t>(inner));
    tail_.push_back(
        {Linear(width, units, Linear::Bias::no), Linear(units, cutoffs_[k + 1] - cutoffs_[k], Linear::Bias::no)});
  }
}

ops::XentOut AdaptiveSoftmax::loss(const Var& hidden, const std::vector<int32_t>& targets,
                                   const ops::XentOptions& options) const {
  std::vector<int32_t> heads = targets;
  std::vector<std::vector<int32_t>> rows(tail_.size()), inner(tail_.size());
  for (size_t n = 0; n < targets.size(); ++n) {
    const auto k = std::ranges::upper_bound(cutoffs_, targets[n]) - cutoffs_.begin();
    check(0 <= targets[n] && k < std::ssize(cutoffs_), "adaptive softmax: target ", targets[n], " is not below ",
          cutoffs_.back());
    if (k == 0) continue;
    const auto cluster = static_cast<size_t>(k) - 1;
    heads[n] = static_cast<int32_t>(cutoffs_[0] + static_cast<int64_t>(cluster));
    rows[cluster].push_back(static_cast<int32_t>(n));
    inner[cluster].push_back(targets[n] - static_cast<int32_t>(begin(cluster)));
  }
  const ops::XentOptions scaled{.scale = options.scale};
  ops::XentOut out = ops::projected_xent(hidden, head_.weight, {}, heads, scaled);
  for (size_t k = 0; k < tail_.size(); ++k) {
    if (rows[k].empty()) continue;
    const Var some = tail_[k].in(ops::gather_rows(hidden, ops::row_ids(rows[k])));
    const ops::XentOut one = ops::projected_xent(some, tail_[k].out.weight, {}, inner[k], scaled);
    out.loss = ops::add(out.loss, one.loss);
    out.loss_sum += one.loss_sum, out.nll_sum += one.nll_sum;
    for (size_t i = 0; i < rows[k].size(); ++i) {
      int8_t& right = out.is_correct[static_cast<size_t>(rows[k][i])];
      right = right && one.is_correct[i];
    }
  }
  out.correct = std::ranges::count(out.is_correct, 1);
  return out;
}

Tensor AdaptiveSoftmax::log_probs(const Var& hidden) const {
  const NoGrad off;
  const int64_t N = hidden.dim(0), V = cutoffs_.back();
  const Tensor head = head_(hidden).value();
  normalise(head);
  Tensor out({N, V});
  const auto copy = [&](const Tensor& from, int64_t count, int64_t at, size_t cluster) {
    for (int64_t n = 0; n < N; ++n) {
      const float before =
          cluster < tail_.size()
              ? head.rows(n, n + 1).span<float>()[static_cast<size_t>(cutoffs_[0] + static_cast<int64_t>(cluster))]
              : 0.0f;
      const auto row = from.rows(n, n + 1).span<float>();
      for (int64_t c = 0; c < count; ++c) out.data<float>()[n * V + at + c] = row[static_cast<size_t>(c)] + before;
    }
  };
  copy(head, cutoffs_[0], 0, tail_.size());
  for (size_t k = 0; k < tail_.size(); ++k) {
    const Tensor part = tail_[k].out(tail_[k].in(hidden)).value();
    normalise(part);
    copy(part, part.dim(1), begin(k), k);
  }
  return out;
}

void AdaptiveSoftmax::params(ParamVisitor& v) { v("head", head_), v("tail", tail_); }

}  // namespace lookback
