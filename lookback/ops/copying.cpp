#include "lookback/ops/copying.h"

#include <cmath>
#include <iterator>
#include <limits>

#include "lookback/base/elementary.h"
#include "lookback/base/parallel.h"
#include "lookback/ops/projected_rows.h"

namespace lookback::ops {
namespace {

constexpr int64_t kRowGrain = 4;
constexpr double kTiny = 1e-20;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// How the copied part shares out 1 among its sentence's distinct tokens.
struct Copied {
  std::vector<double> shares;
  double sum = 0;  // of the weights
  bool any() const { return sum >= 1e-12; }
};

template <class R>
Copied copied(const Copying& c, int64_t n) {
  Copied out{std::vector<double>(c.source.sentence(n).distinct.size())};
  const R* const weights = c.weights.value().data<R>() + n * c.weights.dim(1);
  c.source.each(n, [&](size_t place, int64_t column, double share) {
    out.shares[place] += share * static_cast<double>(weights[column]);
  });
  for (const double share : out.shares) out.sum += share;
  for (double& share : out.shares) share = out.any() ? share / out.sum : 0;
  return out;
}

void check_copying(const char* op, const Copying& copying, int64_t N) {
  const auto& [gate, weights, source] = copying;
  check(gate.shape() == Shape{N, 1} && weights.dim(0) == N && std::ssize(*source.sentence_of_row) == N, op, ": gate ",
        gate.shape(), ", weights ", weights.shape(), " and ", source.sentence_of_row->size(), " sentences for ", N,
        " rows");
  for (const int32_t s : *source.sentence_of_row) {
    check(0 <= s && s < std::ssize(*source.sentences), op, ": sentence ", s, " of ", source.sentences->size());
    const auto tokens = std::ssize((*source.sentences)[static_cast<size_t>(s)].place);
    check(tokens <= weights.dim(1) * source.shortening, op, ": ", tokens, " tokens for ", weights.dim(1),
          " columns of weights");
  }
}

// A row of the mixture; logits are those of the softmax alone.
struct MixedRow {
  Copied copied;
  std::vector<double> logits;  // of its sentence's distinct tokens; -infinity for those the softmax lacks
  double target_logit = 0, largest = 0;
  bool target_is_largest = false;
  double g = 0, p_written = 0, p_copied = 0, p = 0;  // of the target
};

template <class R>
class CopyLoss {
 public:
  CopyLoss(const Copying& copying, const std::vector<int32_t>& targets, int64_t V, const XentOptions& options,
           bool want)
      : copying_(copying),
        targets_(targets),
        written_(targets),
        V_(V),
        options_(options),
        want_(want),
        rows(targets.size()) {
    for (int32_t& y : written_)
      if (y >= V) y = 0;
    if (!want) return;
    dgate = Tensor(copying.gate.shape(), copying.gate.dtype());
    dweights = Tensor::zeros(copying.weights.shape(), copying.weights.dtype());
  }

  // Makes gradients of a chunk's logits.
  void run(int64_t first, const Tensor& logits) {
    std::vector<MixedRow> mixed(static_cast<size_t>(logits.dim(0)));
    const auto each_row = [&](auto&& f) {
      parallel_for(logits.dim(0), kRowGrain, [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) f(first + k, mixed[static_cast<size_t>(k)], logits.data<R>() + k * V_);
      });
    };
    each_row([&](int64_t n, MixedRow& row, const R* x) { row = read(n, x); });
    rows.template run<R>(logits, first, written_.data() + first, options_, want_);
    each_row([&](int64_t n, MixedRow& row, R* x) {
      mix(n, row);
      if (want_) differentiate(n, row, x);
    });
  }

 private:
  const Copying& copying_;
  const std::vector<int32_t>& targets_;
  std::vector<int32_t> written_;  // what the softmax is asked for: of targets that it lacks any other token
  const int64_t V_;
  const XentOptions& options_;
  const bool want_;

  MixedRow read(int64_t n, const R* x) const {
    const auto& tokens = copying_.source.sentence(n).distinct;
    const int32_t target = targets_[static_cast<size_t>(n)];
    MixedRow out{.copied = copied<R>(copying_, n)};
    for (size_t k = 0; k < tokens.size(); ++k) {
      out.logits.push_back(tokens[k] < V_ ? static_cast<double>(x[tokens[k]]) : -kInfinity);
      if (tokens[k] == target) out.p_copied = out.copied.shares[k];
    }
    const R* const largest = std::max_element(x, x + V_);
    out.largest = static_cast<double>(*largest), out.target_is_largest = largest - x == target;
    out.target_logit = static_cast<double>(x[written_[static_cast<size_t>(n)]]);
    const double z = static_cast<double>(copying_.gate.value().data<R>()[n]), e = elementary::exp(-std::abs(z));
    out.g = out.copied.any() ? (z >= 0 ? 1 : e) / (1 + e) : 1;
    return out;
  }

  void mix(int64_t n, MixedRow& row) {
    const auto at = static_cast<size_t>(n);
    const double log_sum = rows.nlls[at] + row.target_logit;
    if (targets_[at] < V_) row.p_written = elementary::exp(-rows.nlls[at]);
    row.p = row.g * row.p_written + (1 - row.g) * row.p_copied + kTiny;
    // forward: loss = (1 - smoothing) (-log p) + smoothing S; the softmax has (1 - smoothing) nll + smoothing S
    const double nll = -elementary::log(row.p);
    rows.losses[at] += (1 - options_.smoothing) * (nll - rows.nlls[at]);
    rows.nlls[at] = nll;
    rows.correct[at] = row.target_is_largest || row.g * elementary::exp(row.largest - log_sum) <= row.p;
    for (size_t k = 0; k < row.logits.size(); ++k)
      if (row.g * elementary::exp(row.logits[k] - log_sum) + (1 - row.g) * row.copied.shares[k] > row.p)
        rows.correct[at] = 0;
  }

  // x: the gradient of the softmax's loss becomes that of this one.
  void differentiate(int64_t n, const MixedRow& row, R* x) {
    const auto at = static_cast<size_t>(n);
    const double s = options_.smoothing, scale = options_.scale;
    // forward: p = g p_written + (1 - g) p_copied
    const double share = row.g * row.p_written / row.p, whole = share * (1 - s) + s;
    const double even = scale * s * (1 - s) * (1 - share);
    for (int64_t v = 0; v < V_; ++v)
      x[v] = static_cast<R>(whole) * x[v] - static_cast<R>(even / static_cast<double>(V_));
    x[written_[at]] += static_cast<R>(even);
    dgate.template data<R>()[n] =
        static_cast<R>(-scale * (1 - s) * row.g * (1 - row.g) * (row.p_written - row.p_copied) / row.p);
    if (!row.copied.any()) return;
    // forward: p_copied = sum of the target's weights / sum of all
    const double slope = -scale * (1 - s) * (1 - row.g) / row.p / row.copied.sum;
    R* const dw = dweights.template data<R>() + n * dweights.dim(1);
    const auto& tokens = copying_.source.sentence(n).distinct;
    copying_.source.each(n, [&](size_t place, int64_t column, double of_column) {
      dw[column] += static_cast<R>(slope * of_column * ((tokens[place] == targets_[at] ? 1.0 : 0.0) - row.p_copied));
    });
  }

 public:
  XentRows rows;
  Tensor dgate, dweights;
};

}  // namespace

CopySentence::CopySentence(const std::vector<int32_t>& tokens) {
  std::ranges::copy_if(tokens, std::back_inserter(distinct), [](int32_t token) { return token >= 0; });
  std::ranges::sort(distinct);
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  place.reserve(tokens.size());
  for (const int32_t token : tokens)
    place.push_back(token < 0 ? -1
                              : static_cast<int32_t>(std::ranges::lower_bound(distinct, token) - distinct.begin()));
}

XentOut copy_xent(const Var& hidden, const Var& w, const Var& bias, const Copying& copying,
                  const std::vector<int32_t>& targets, const XentOptions& options) {
  check_shapes("copy_xent", hidden, w, bias, targets);
  check_copying("copy_xent", copying, hidden.dim(0));
  check(options.weights.empty(), "copy_xent: rows have no weights");
  for (const int32_t y : targets) check(y >= 0, "copy_xent: target ", y);
  const bool want = any_needs_grad({hidden, w, bias, copying.gate, copying.weights});
  XentOut out;
  with_float(hidden.dtype(), [&]<class R>() {
    CopyLoss<R> loss(copying, targets, w.dim(0), options, want);
    const XentGrads grads =
        project_chunks<R>(hidden, w, bias, want, [&](int64_t first, const Tensor& logits) { loss.run(first, logits); });
    out = sum_up(std::move(loss.rows), options, {hidden, w, bias, copying.gate, copying.weights},
                 std::array{grads.dhidden, grads.dw, grads.dbias, loss.dgate, loss.dweights});
  });
  return out;
}

Tensor copy_logits(const Var& hidden, const Var& w, const Var& bias, const Copying& copying, int64_t extra) {
  const int64_t N = hidden.dim(0), V = w.dim(0), H = w.dim(1);
  check_copying("copy_logits", copying, N);
  for (const CopySentence& s : *copying.source.sentences)
    check(s.distinct.empty() || s.distinct.back() < V + extra, "copy_logits: token ",
          s.distinct.empty() ? 0 : s.distinct.back(), " of ", V + extra);
  const auto& table = kernels::best<float>();
  Tensor out({N, V + extra});
  auto product = kernels::product_of(N, hidden.value().data<float>(), weight<float>(w, {0, H}, Packing::forward, N),
                                     out.data<float>(), false, data_or_null<float>(bias));
  product.ldc = V + extra;
  table.matmul(product);
  parallel_for(N, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const auto y = out.rows(n, n + 1).span<float>();
      std::fill(y.begin() + V, y.end(), -std::numeric_limits<float>::infinity());
      double loss = 0, nll = 0;
      int8_t correct = 0;
      constexpr int32_t kFirst = 0;
      table.softmax_xent({.N = 1,
                          .V = V,
                          .smoothing = 0,
                          .scale = 1,
                          .targets = &kFirst,
                          .logits = y.data(),
                          .want_grad = false,
                          .losses = &loss,
                          .nlls = &nll,
                          .correct = &correct});
      // log (g softmax + (1 - g) copied) of all tokens, each with log_sum - log g more
      const double log_sum = nll + static_cast<double>(y[0]);
      const double shift = log_sum - static_cast<double>(copying.gate.value().data<float>()[n]);
      const auto& own = copying.source.sentence(n).distinct;
      const Copied part = copied<float>(copying, n);
      for (size_t k = 0; k < own.size(); ++k) {
        if (part.shares[k] <= 0) continue;
        float& logit = y[static_cast<size_t>(own[k])];
        // Far below the copied part the written one is nothing, and e to the difference might overflow.
        const double a = static_cast<double>(logit), above = shift - a;
        logit = static_cast<float>(above < 600 ? a + elementary::log1p(part.shares[k] * elementary::exp(above))
                                               : shift + elementary::log(part.shares[k]));
      }
    }
  });
  return out;
}

}  // namespace lookback::ops
