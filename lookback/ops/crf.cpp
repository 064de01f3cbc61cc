#include "lookback/ops/crf.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "lookback/base/elementary.h"
#include "lookback/base/parallel.h"
#include "lookback/ops/internal.h"
#include "lookback/ops/projected_rows.h"

namespace lookback::ops {
namespace {

using Numbers = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Products of what is summed in a step may lose numbers below 1e-308: these do not count beside 1e-200.
constexpr double kLeastShare = 1e-200;
constexpr int64_t kSequences = 4;  // that share a sum of gradients

double largest_finite(const Numbers& x) {
  double out = -kInfinity;
  for (const double v : x) out = std::max(out, v);
  return std::isfinite(out) ? out : 0;
}

Numbers exp_from(const Numbers& x, double top) {
  Numbers out;
  for (const double v : x) out.push_back(elementary::exp(v - top));
  return out;
}

// Scores, and their exponentials from the largest of each kind.
struct Chain {
  int64_t K;
  Numbers transitions, transposed, start, end;
  double transitions_top, start_top, end_top;
  Numbers exp_transitions, exp_transposed, exp_start, exp_end;

  template <class R>
  Chain(const CrfScores& s, R) : K(s.emissions.dim(1)) {
    const auto numbers = [](const Var& v) {
      const auto x = v.value().data<R>();
      return Numbers(x, x + v.value().size());
    };
    transitions = numbers(s.transitions), start = numbers(s.start), end = numbers(s.end);
    transposed = flipped(transitions);
    transitions_top = largest_finite(transitions), start_top = largest_finite(start), end_top = largest_finite(end);
    exp_transitions = exp_from(transitions, transitions_top), exp_transposed = flipped(exp_transitions);
    exp_start = exp_from(start, start_top), exp_end = exp_from(end, end_top);
  }

  Numbers flipped(const Numbers& x) const {
    Numbers out(x.size());
    for (int64_t i = 0; i < K; ++i)
      for (int64_t j = 0; j < K; ++j) out[static_cast<size_t>(j * K + i)] = x[static_cast<size_t>(i * K + j)];
    return out;
  }
};

// y = x m, m [K, K]
void row_times(const double* __restrict x, const Numbers& m, int64_t K, double* __restrict y) {
  std::fill(y, y + K, 0.0);
  for (int64_t i = 0; i < K; ++i) {
    const double* __restrict const row = m.data() + i * K;
    const double a = x[i];
    for (int64_t j = 0; j < K; ++j) y[j] += a * row[j];
  }
}

// What the recursions find of one sequence.
struct Found {
  double log_z = 0;
  Numbers marginals;  // [L, K]
};

// One sequence of L tokens, L > 0. Memory is kept from one to the next.
class Recursions {
 public:
  explicit Recursions(const Chain& chain) : c_(chain), K_(chain.K) {}

  // expected [K, K] += how often each pair of neighbours is expected; or null. log_z is -infinity, and the rest
  // without meaning, where no tags are allowed.
  template <class R>
  const Found& run(const R* emissions, int64_t L, double* expected) {
    L_ = L;
    const auto size = static_cast<size_t>(L * K_);
    e_.assign(emissions, emissions + size);
    for (Numbers* const x : {&alpha_, &beta_, &x_, &found_.marginals}) x->resize(size);
    if (!scaled(expected)) in_logarithms(expected);
    return found_;
  }

 private:
  const Chain& c_;
  const int64_t K_;
  int64_t L_ = 0;
  Numbers e_, alpha_, beta_, x_, sums_, weighed_;
  Found found_;

  double* at(Numbers& x, int64_t t) const { return x.data() + t * K_; }

  // Products of exponentials, each step's shared out to a sum of 1 (Rabiner 1989). False where numbers that count may
  // have left double: how much of all probability each step's products stand for is known.
  bool scaled(double* expected) {
    double log_z = c_.start_top + static_cast<double>(L_ - 1) * c_.transitions_top + c_.end_top;
    sums_.resize(static_cast<size_t>(L_));
    for (int64_t t = 0; t < L_; ++t) {
      double* const a = at(alpha_, t);
      double* const x = at(x_, t);
      const double* const e = at(e_, t);
      const double top = *std::max_element(e, e + K_);
      for (int64_t j = 0; j < K_; ++j) x[j] = elementary::exp(e[j] - top);
      if (t == 0)
        std::ranges::copy(c_.exp_start, a);
      else
        row_times(at(alpha_, t - 1), c_.exp_transitions, K_, a);
      double sum = 0;
      for (int64_t j = 0; j < K_; ++j) a[j] *= x[j], sum += a[j];
      if (!(sum >= kLeastShare)) return false;
      for (int64_t j = 0; j < K_; ++j) a[j] /= sum;
      sums_[static_cast<size_t>(t)] = sum;
      log_z += top + elementary::log(sum);
    }
    weighed_.resize(static_cast<size_t>(K_));
    for (int64_t t = L_ - 1; t >= 0; --t) {
      double* const b = at(beta_, t);
      const double* const a = at(alpha_, t);
      if (t == L_ - 1) {
        std::ranges::copy(c_.exp_end, b);
      } else {
        row_times(weighed_.data(), c_.exp_transposed, K_, b);
        const double top = *std::max_element(b, b + K_);
        for (int64_t j = 0; j < K_; ++j) b[j] /= top;
      }
      double share = 0;
      for (int64_t j = 0; j < K_; ++j) share += a[j] * b[j];
      if (t == L_ - 1) log_z += elementary::log(share);
      if (!(share * sums_[static_cast<size_t>(t)] >= kLeastShare)) return false;
      for (int64_t j = 0; j < K_; ++j) {
        at(found_.marginals, t)[j] = a[j] * b[j] / share;
        weighed_[static_cast<size_t>(j)] = at(x_, t)[j] * b[j];
      }
      if (t > 0 && expected) add_pairs(at(alpha_, t - 1), share * sums_[static_cast<size_t>(t)], expected);
    }
    found_.log_z = log_z;
    return std::isfinite(log_z);
  }

  // Of two neighbours i, j: alpha_i t_ij x_j beta_j / (sum * share)
  void add_pairs(const double* before, double all, double* __restrict expected) {
    for (int64_t i = 0; i < K_; ++i) {
      const double a = before[i] / all;
      const double* __restrict const m = c_.exp_transitions.data() + i * K_;
      const double* __restrict const w = weighed_.data();
      double* __restrict const out = expected + i * K_;
      for (int64_t j = 0; j < K_; ++j) out[j] += a * m[j] * w[j];
    }
  }

  static double log_sum(const Numbers& x) {
    const double top = *std::ranges::max_element(x);
    if (!std::isfinite(top)) return top;
    double sum = 0;
    for (const double v : x) sum += elementary::exp(v - top);
    return top + elementary::log(sum);
  }

  // The same, for scores of any size: alpha, beta are logarithms.
  void in_logarithms(double* expected) {
    Numbers terms(static_cast<size_t>(K_));
    const auto over = [&](auto&& term) {
      for (int64_t k = 0; k < K_; ++k) terms[static_cast<size_t>(k)] = term(k);
      return log_sum(terms);
    };
    const auto t_of = [&](int64_t i, int64_t j) { return c_.transitions[static_cast<size_t>(i * K_ + j)]; };
    for (int64_t t = 0; t < L_; ++t)
      for (int64_t j = 0; j < K_; ++j)
        at(alpha_, t)[j] = at(e_, t)[j] + (t == 0 ? c_.start[static_cast<size_t>(j)]
                                                  : over([&](int64_t i) { return at(alpha_, t - 1)[i] + t_of(i, j); }));
    found_.log_z = over([&](int64_t j) { return at(alpha_, L_ - 1)[j] + c_.end[static_cast<size_t>(j)]; });
    if (found_.log_z == -kInfinity) return;
    for (int64_t t = L_ - 1; t >= 0; --t)
      for (int64_t i = 0; i < K_; ++i)
        at(beta_, t)[i] = t == L_ - 1
                              ? c_.end[static_cast<size_t>(i)]
                              : over([&](int64_t j) { return t_of(i, j) + at(e_, t + 1)[j] + at(beta_, t + 1)[j]; });
    for (int64_t t = 0; t < L_; ++t)
      for (int64_t j = 0; j < K_; ++j) {
        at(found_.marginals, t)[j] = elementary::exp(at(alpha_, t)[j] + at(beta_, t)[j] - found_.log_z);
        if (t > 0 && expected)
          for (int64_t i = 0; i < K_; ++i)
            expected[i * K_ + j] +=
                elementary::exp(at(alpha_, t - 1)[i] + t_of(i, j) + at(e_, t)[j] + at(beta_, t)[j] - found_.log_z);
      }
  }
};

void check_scores(const char* op, const CrfScores& s, const MemoryLayout& layout) {
  check(s.emissions.shape().rank() == 2, op, ": emissions ", s.emissions.shape());
  const int64_t K = s.emissions.dim(1);
  check(s.emissions.dim(0) == layout.rows() && K > 0 && s.transitions.shape() == Shape{K, K} &&
            s.start.shape() == Shape{K} && s.end.shape() == Shape{K},
        op, ": emissions ", s.emissions.shape(), " of ", layout.rows(), " rows, transitions ", s.transitions.shape(),
        ", start ", s.start.shape(), ", end ", s.end.shape());
  for (const Var* const v : {&s.transitions, &s.start, &s.end})
    check(v->dtype() == s.emissions.dtype(), op, ": scores of different types");
}

// f(sequence, block) for the sequences of each block, several blocks at once.
template <class F>
void each_sequence(const MemoryLayout& layout, F&& f) {
  parallel_for(layout.sentences(), kSequences, [&](int64_t begin, int64_t end) { f(begin, end, begin / kSequences); });
}

// The score of a sequence's own tags.
template <class R>
double score_of(const Chain& c, const R* emissions, const int32_t* tags, int64_t L) {
  double out = 0;
  for (int64_t t = 0; t < L; ++t) {
    out += static_cast<double>(emissions[t * c.K + tags[t]]);
    out += t == 0 ? c.start[static_cast<size_t>(tags[0])]
                  : c.transitions[static_cast<size_t>(tags[t - 1] * c.K + tags[t])];
  }
  return out + c.end[static_cast<size_t>(tags[L - 1])];
}

void check_allowed(const Chain& c, const MemoryLayout& layout, const std::vector<int32_t>& tags) {
  const auto forbidden = [&](const Numbers& scores, int64_t k) { return scores[static_cast<size_t>(k)] == -kInfinity; };
  for (int64_t s = 0; s < layout.sentences(); ++s)
    for (int64_t n = layout.begin(s); n < layout.begin(s + 1); ++n) {
      const int32_t y = tags[static_cast<size_t>(n)];
      const bool first = n == layout.begin(s), last = n + 1 == layout.begin(s + 1);
      check(!(first && forbidden(c.start, y)) && !(last && forbidden(c.end, y)), "crf_loss: sequence ", s, ": tag ", y,
            " is forbidden as the ", first ? "first" : "last");
      const int32_t before = first ? 0 : tags[static_cast<size_t>(n) - 1];
      check(first || !forbidden(c.transitions, before * c.K + y), "crf_loss: sequence ", s, ": tag ", y,
            " is forbidden behind tag ", before);
    }
}

}  // namespace

CrfOut crf_loss(const CrfScores& scores, const MemoryLayout& layout, const std::vector<int32_t>& tags, double scale) {
  check_scores("crf_loss", scores, layout);
  const auto& [emissions, transitions, start, end] = scores;
  const int64_t K = emissions.dim(1), B = layout.sentences();
  check(std::ssize(tags) == layout.rows(), "crf_loss: ", tags.size(), " tags for ", layout.rows(), " rows");
  for (const int32_t y : tags) check(0 <= y && y < K, "crf_loss: tag ", y, " of ", K);
  const Dtype dtype = emissions.dtype();
  const bool want = any_needs_grad({emissions, transitions, start, end});
  std::array<Tensor, 4> slopes;
  Tensor loss({1}, dtype);
  CrfOut out;
  with_float(dtype, [&]<class R>() {
    const Chain chain(scores, R());
    check_allowed(chain, layout, tags);
    Numbers nll(static_cast<size_t>(B));
    // Of each block: pairs [K, K], first tags [K], last tags [K]
    const auto width = static_cast<size_t>(K * K + 2 * K);
    std::vector<Numbers> sums(want ? static_cast<size_t>((B + kSequences - 1) / kSequences) : 0);
    Tensor& de = slopes[0];
    if (want) de = Tensor(emissions.shape(), dtype);
    each_sequence(layout, [&](int64_t first, int64_t last, int64_t block) {
      Recursions recursions(chain);
      Numbers* const sum = want ? &sums[static_cast<size_t>(block)] : nullptr;
      if (sum) sum->assign(width, 0);
      for (int64_t s = first; s < last; ++s) {
        const int64_t n = layout.begin(s), L = layout.length(s);
        if (L == 0) continue;
        const R* const e = emissions.value().data<R>() + n * K;
        const int32_t* const y = tags.data() + n;
        const Found& found = recursions.run(e, L, sum ? sum->data() : nullptr);
        nll[static_cast<size_t>(s)] = found.log_z - score_of(chain, e, y, L);
        if (!sum) continue;
        // forward: loss = log z - score(y); log z gives each score its expected count
        for (int64_t t = 0; t < L; ++t)
          for (int64_t k = 0; k < K; ++k) {
            const double d = found.marginals[static_cast<size_t>(t * K + k)] - (k == y[t] ? 1.0 : 0.0);
            de.data<R>()[(n + t) * K + k] = static_cast<R>(scale * d);
            if (t == 0) (*sum)[static_cast<size_t>(K * K + k)] += d;
            if (t == L - 1) (*sum)[static_cast<size_t>(K * K + K + k)] += d;
          }
        for (int64_t t = 1; t < L; ++t) (*sum)[static_cast<size_t>(y[t - 1] * K + y[t])] -= 1;
      }
    });
    for (const double x : nll) out.nll_sum += x;
    loss.data<R>()[0] = static_cast<R>(scale * out.nll_sum);
    if (!want) return;
    Numbers total(width);
    for (const Numbers& sum : sums)
      for (size_t k = 0; k < width; ++k) total[k] += sum[k];
    size_t k = 0;
    for (const auto& [slope, in] : {std::pair{&slopes[1], &transitions}, {&slopes[2], &start}, {&slopes[3], &end}}) {
      *slope = Tensor(in->shape(), dtype);
      for (R& x : slope->template span<R>()) x = static_cast<R>(scale * total[k++]);
    }
  });
  out.loss = record({loss}, {emissions, transitions, start, end}, [slopes](Node& node) {
    for (size_t k = 0; k < slopes.size(); ++k)
      if (node.inputs[k].needs_grad()) add_scaled_grad(node.inputs[k], slopes[k], node.grads[0]);
  })[0];
  return out;
}

CrfPaths crf_viterbi(const CrfScores& scores, const MemoryLayout& layout) {
  check_scores("crf_viterbi", scores, layout);
  const int64_t K = scores.emissions.dim(1);
  CrfPaths out{std::vector<int32_t>(static_cast<size_t>(layout.rows())),
               Numbers(static_cast<size_t>(layout.sentences()))};
  with_float(scores.emissions.dtype(), [&]<class R>() {
    const Chain chain(scores, R());
    each_sequence(layout, [&](int64_t first, int64_t last, int64_t) {
      Numbers all;
      for (int64_t s = first; s < last; ++s) {
        const int64_t n = layout.begin(s), L = layout.length(s);
        if (L == 0) continue;
        const R* const e = scores.emissions.value().data<R>() + n * K;
        all.assign(static_cast<size_t>(L * K), -kInfinity);  // the best score of tags that end so
        for (int64_t t = 0; t < L; ++t) {
          double* __restrict const v = all.data() + t * K;
          if (t == 0) std::ranges::copy(chain.start, v);
          for (int64_t i = 0; t > 0 && i < K; ++i) {
            const double before = v[i - K];
            const double* __restrict const row = chain.transitions.data() + i * K;
            for (int64_t j = 0; j < K; ++j) v[j] = before + row[j] > v[j] ? before + row[j] : v[j];
          }
          for (int64_t j = 0; j < K; ++j) v[j] += static_cast<double>(e[t * K + j]);
        }
        // Backwards: which tag was it? Of equals the first.
        const auto best = [&](int64_t t, const double* to_next) {
          int64_t k = 0;
          const double* const v = all.data() + t * K;
          for (int64_t i = 1; i < K; ++i)
            if (v[i] + to_next[i] > v[k] + to_next[k]) k = i;
          return static_cast<int32_t>(k);
        };
        int32_t* const y = out.tags.data() + n;
        y[L - 1] = best(L - 1, chain.end.data());
        const auto end = static_cast<size_t>(y[L - 1]);
        out.scores[static_cast<size_t>(s)] = all[static_cast<size_t>((L - 1) * K) + end] + chain.end[end];
        for (int64_t t = L - 2; t >= 0; --t) y[t] = best(t, chain.transposed.data() + y[t + 1] * K);
      }
    });
  });
  for (int64_t s = 0; s < layout.sentences(); ++s)
    check(out.scores[static_cast<size_t>(s)] != -kInfinity, "crf_viterbi: sequence ", s, " of ", layout.length(s),
          " tokens: all tags are forbidden");
  return out;
}

CrfMarginals crf_marginals(const CrfScores& scores, const MemoryLayout& layout) {
  check_scores("crf_marginals", scores, layout);
  const int64_t K = scores.emissions.dim(1);
  CrfMarginals out{Tensor(scores.emissions.shape(), scores.emissions.dtype()),
                   Numbers(static_cast<size_t>(layout.sentences()))};
  with_float(scores.emissions.dtype(), [&]<class R>() {
    const Chain chain(scores, R());
    each_sequence(layout, [&](int64_t first, int64_t last, int64_t) {
      Recursions recursions(chain);
      for (int64_t s = first; s < last; ++s) {
        const int64_t n = layout.begin(s) * K;
        if (layout.length(s) == 0) continue;
        const Found& found = recursions.run(scores.emissions.value().data<R>() + n, layout.length(s), nullptr);
        out.log_z[static_cast<size_t>(s)] = found.log_z;
        for (size_t k = 0; k < found.marginals.size(); ++k)
          out.probabilities.data<R>()[n + static_cast<int64_t>(k)] = static_cast<R>(found.marginals[k]);
      }
    });
  });
  for (int64_t s = 0; s < layout.sentences(); ++s)
    check(out.log_z[static_cast<size_t>(s)] != -kInfinity, "crf_marginals: sequence ", s, " of ", layout.length(s),
          " tokens: all tags are forbidden");
  return out;
}

}  // namespace lookback::ops
