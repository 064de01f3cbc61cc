// Self-attention of several heads (Vaswani et al. 2017). Scores and weights are computed whenever they are needed.
#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {
namespace {

template <class R>
R dot(const R* x, const R* y, int64_t n) {
  R sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += x[k] * y[k];
  return sum;
}

// One head of one sentence.
template <class R>
struct Head {
  const MultiHead<R>& a;
  int64_t s, h;

  int64_t length() const { return a.begin[s + 1] - a.begin[s]; }
  int64_t row(int64_t t) const { return a.begin[s] + t; }
  int64_t at(int64_t t) const { return (row(t) * a.heads + h) * a.width; }
  int64_t bias_at(int64_t t, int64_t u) const { return h * (2 * a.reach + 1) + a.column(t - u); }
  R score(int64_t t, int64_t u) const {
    const R e = a.scale * dot(a.query + at(t), a.key + at(u), a.width);
    return a.bias ? e + a.bias[bias_at(t, u)] : e;
  }
  R weight(int64_t t, int64_t u) const {
    const int64_t n = h * a.N + row(t);
    return std::exp(score(t, u) - a.top[n]) * a.inverse[n];
  }
};

template <class R, class F>
void each_head(const MultiHead<R>& a, F&& f) {
  for (int64_t s = 0; s < a.sentences; ++s)
    for (int64_t h = 0; h < a.heads; ++h) f(Head<R>{a, s, h});
}

}  // namespace

template <class R>
void multi_head(const MultiHead<R>& a) {
  each_head(a, [&](const Head<R>& head) {
    const int64_t T = head.length();
    for (int64_t t = 0; t < T; ++t) {
      const int64_t first = a.first_seen(t), end = a.end_seen(t, T), n = head.h * a.N + head.row(t);
      R top = -std::numeric_limits<R>::infinity(), sum = 0;
      for (int64_t u = first; u < end; ++u) top = std::max(top, head.score(t, u));
      for (int64_t u = first; u < end; ++u) sum += std::exp(head.score(t, u) - top);
      a.top[n] = top, a.inverse[n] = 1 / sum;
      R* const out = a.out + head.at(t);
      std::fill_n(out, a.width, R{0});
      for (int64_t u = first; u < end; ++u) {
        const R w = head.weight(t, u);
        for (int64_t k = 0; k < a.width; ++k) out[k] += w * a.value[head.at(u) + k];
      }
    }
  });
}

template <class R>
void multi_head_backward(const MultiHeadBackward<R>& a) {
  const MultiHead<R>& f = a.f;
  const int64_t size = f.N * f.heads * f.width;
  if (a.replace_dquery) std::fill_n(a.dquery, size, R{0});
  if (a.replace_dkey) std::fill_n(a.dkey, size, R{0});
  if (a.replace_dvalue) std::fill_n(a.dvalue, size, R{0});
  each_head(f, [&](const Head<R>& head) {
    const int64_t T = head.length();
    for (int64_t t = 0; t < T; ++t) {
      const R* const dout = a.dout + head.at(t);
      const R mean = dot(dout, f.out + head.at(t), f.width);
      for (int64_t u = f.first_seen(t); u < f.end_seen(t, T); ++u) {
        // forward: out = sum_u w[u] value[u]
        const R w = head.weight(t, u), dw = dot(dout, f.value + head.at(u), f.width);
        // forward: w = softmax(scores), so that sum_u w[u] dw[u] = dout . out
        const R dscore = w * (dw - mean);
        if (a.dbias) a.dbias[head.bias_at(t, u)] += dscore;
        for (int64_t k = 0; k < f.width; ++k) {
          if (a.dvalue) a.dvalue[head.at(u) + k] += w * dout[k];
          // forward: score = scale * q . k + bias
          if (a.dquery) a.dquery[head.at(t) + k] += f.scale * dscore * f.key[head.at(u) + k];
          if (a.dkey) a.dkey[head.at(u) + k] += f.scale * dscore * f.query[head.at(t) + k];
        }
      }
    }
  });
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(multi_head, MultiHead)
LOOKBACK_REF_INSTANCES(multi_head_backward, MultiHeadBackward)
