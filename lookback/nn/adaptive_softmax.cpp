#include "lookback/nn/adaptive_softmax.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/ops/basic.h"

namespace lookback {
namespace {

std::vector<int64_t> rising(std::vector<int64_t> cutoffs, int64_t vocabulary, const std::string& where) {
  for (size_t k = 0; k < cutoffs.size(); ++k)
    check<ConfigError>(cutoffs[k] > (k ? cutoffs[k - 1] : 0) && cutoffs[k] < vocabulary, where, ": ", cutoffs[k],
                       " does not lie between ", k ? cutoffs[k - 1] : 0, " and the vocabulary of ", vocabulary,
                       "; cutoffs rise");
  cutoffs.push_back(vocabulary);
  return cutoffs;
}

Linear rows_of(const Linear& layer, int64_t begin, int64_t end) {
  Linear out;
  out.weight = ops::slice_rows(layer.weight, begin, end), out.bias = ops::slice_rows(layer.bias, begin, end);
  return out;
}

}  // namespace

AdaptiveSoftmax::AdaptiveSoftmax(int64_t width, int64_t vocabulary, std::vector<int64_t> cutoffs, double div_value,
                                 const std::string& where)
    : cutoffs_(rising(std::move(cutoffs), vocabulary, where)) {
  head_ = Linear(width, cutoffs_[0] + static_cast<int64_t>(clusters()), Linear::Bias::no);
  double inner = static_cast<double>(width);
  for (size_t k = 0; k < clusters(); ++k) {
    inner /= div_value;
    const int64_t units = std::max<int64_t>(1, static_cast<int64_t>(inner));
    tail_.push_back({Linear(width, units, Linear::Bias::no), Linear(units, end(k) - begin(k), Linear::Bias::no)});
  }
}

AdaptiveSoftmax::AdaptiveSoftmax(const Linear& tokens, std::vector<int64_t> cutoffs, const std::string& where)
    : cutoffs_(rising(std::move(cutoffs), tokens.weight.dim(0), where)),
      head_(tokens.weight.dim(1), static_cast<int64_t>(clusters()), Linear::Bias::yes),
      tokens_(tokens) {}

Linear AdaptiveSoftmax::head() const {
  if (!tied()) return head_;
  Linear out = rows_of(tokens_, 0, begin(0));
  out.weight = ops::concat_rows({out.weight, head_.weight}), out.bias = ops::concat_rows({out.bias, head_.bias});
  return out;
}

AdaptiveSoftmax::Cluster AdaptiveSoftmax::tail(size_t cluster) const {
  return tied() ? Cluster{{}, rows_of(tokens_, begin(cluster), end(cluster))} : tail_[cluster];
}

void AdaptiveSoftmax::start_from_shares(const std::vector<double>& shares) {
  if (!tied()) return;
  for (size_t k = 0; k < clusters(); ++k)
    head_.bias.value().data<float>()[k] =
        static_cast<float>(elementary::log(std::accumulate(shares.begin() + begin(k), shares.begin() + end(k), 0.0)));
  head_.bias.touch();
}

ops::XentOut AdaptiveSoftmax::loss(const Var& hidden, const std::vector<int32_t>& targets,
                                   const ops::XentOptions& options) const {
  std::vector<int32_t> heads = targets;
  std::vector<std::vector<int32_t>> rows(clusters()), inner(clusters());
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
  const Linear first = head();
  ops::XentOut out = ops::projected_xent(hidden, first.weight, first.bias, heads, scaled);
  for (size_t k = 0; k < clusters(); ++k) {
    if (rows[k].empty()) continue;
    const Cluster cluster = tail(k);
    const Var some = cluster(ops::gather_rows(hidden, ops::row_ids(rows[k])));
    const ops::XentOut one = ops::projected_xent(some, cluster.out.weight, cluster.out.bias, inner[k], scaled);
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
  // A layer given is asked whole, so that its packed weights serve from call to call.
  const Tensor out = tied() ? tokens_(hidden).value() : Tensor({N, V});
  const Tensor own = head_(hidden).value();
  const auto part = [](const Tensor& x, int64_t n, int64_t begin, int64_t end) {
    return x.rows(n, n + 1).span<float>().subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  };
  if (!tied()) {
    for (size_t k = 0; k < clusters(); ++k) {
      const Tensor logits = tail_[k].out(tail_[k](hidden)).value();
      for (int64_t n = 0; n < N; ++n)
        std::ranges::copy(part(logits, n, 0, logits.dim(1)), part(out, n, begin(k), end(k)).begin());
    }
  }
  std::vector<float> head;  // of a row: the first tokens, then the clusters
  for (int64_t n = 0; n < N; ++n) {
    const auto first = part(out, n, 0, begin(0));
    const auto rest = part(own, n, 0, own.dim(1));
    head.clear();
    if (tied()) head.insert(head.end(), first.begin(), first.end());
    head.insert(head.end(), rest.begin(), rest.end());
    elementary::log_softmax(std::span<float>(head));
    std::ranges::copy_n(head.begin(), begin(0), first.begin());
    for (size_t k = 0; k < clusters(); ++k) {
      const auto logs = part(out, n, begin(k), end(k));
      elementary::log_softmax(logs);
      for (float& x : logs) x += head[static_cast<size_t>(begin(0)) + k];
    }
  }
  return out;
}

void AdaptiveSoftmax::params(ParamVisitor& v) { v(tied() ? "clusters" : "head", head_), v("tail", tail_); }

}  // namespace lookback
