// Attention: energies by dot product (Luong et al. 2015) or by a small network
// (Bahdanau et al. 2015), then a softmax over what a row sees and the weighted sum.
#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {

template <class R>
void score_dot(const ScoreDot<R>& a) {
  const Memory& m = a.memory;
  for (int64_t n = 0; n < m.N; ++n) {
    const Memory::Span seen = m.seen_by(n);
    for (int64_t t = 0; t < m.T; ++t) {
      R sum = 0;
      if (t < seen.length)
        for (int64_t k = 0; k < a.A; ++k) sum += a.query[n * a.A + k] * a.keys[(seen.first + t) * a.A + k];
      a.energies[n * m.T + t] = a.scale * sum;
    }
  }
}

template <class R>
void score_dot_backward(const ScoreDotBackward<R>& a) {
  const Memory& m = a.f.memory;
  const int64_t A = a.f.A;
  for (int64_t n = 0; n < m.N; ++n)
    for (int64_t t = 0; t < m.seen_by(n).length; ++t) {
      const int64_t row = m.seen_by(n).first + t;
      const R de = a.f.scale * a.denergies[n * m.T + t];
      // forward: energy = scale * q . k
      for (int64_t k = 0; k < A; ++k) {
        if (a.dquery) a.dquery[n * A + k] += de * a.f.keys[row * A + k];
        if (a.dkeys) a.dkeys[row * A + k] += de * a.f.query[n * A + k];
      }
    }
}

template <class R>
void tanh_factors(const TanhFactors<R>& a) {
  for (int64_t k = 0; k < a.size; ++k)
    a.y[k] =
        std::abs(a.x[k]) <= static_cast<R>(kMostOfFactor) ? std::exp(-2 * a.x[k]) : std::numeric_limits<R>::quiet_NaN();
}

template <class R>
R before_tanh(const ScoreAdditive<R>& a, int64_t n, int64_t t, int64_t k) {
  const Memory& m = a.memory;
  R sum = a.query[n * a.A + k] + a.keys[(m.seen_by(n).first + t) * a.A + k];
  for (int64_t f = 0; f < a.F; ++f) sum += a.features[(n * m.T + t) * a.F + f] * a.feature_weight[f * a.A + k];
  return sum;
}

template <class R>
void score_additive(const ScoreAdditive<R>& a) {
  const Memory& m = a.memory;
  for (int64_t n = 0; n < m.N; ++n)
    for (int64_t t = 0; t < m.T; ++t) {
      R sum = 0;
      if (t < m.seen_by(n).length)
        for (int64_t k = 0; k < a.A; ++k) sum += a.v[k] * std::tanh(before_tanh(a, n, t, k));
      a.energies[n * m.T + t] = sum;
    }
}

template <class R>
void score_additive_backward(const ScoreAdditiveBackward<R>& a) {
  const Memory& m = a.f.memory;
  const int64_t A = a.f.A;
  for (int64_t n = 0; n < m.N; ++n)
    for (int64_t t = 0; t < m.seen_by(n).length; ++t) {
      const int64_t row = m.seen_by(n).first + t;
      const R de = a.denergies[n * m.T + t];
      for (int64_t k = 0; k < A; ++k) {
        // forward: energy = v . tanh(q + k + features W)
        const R u = std::tanh(before_tanh(a.f, n, t, k));
        const R ds = de * a.f.v[k] * (1 - u * u);
        if (a.dv) a.dv[k] += de * u;
        if (a.dquery) a.dquery[n * A + k] += ds;
        if (a.dkeys) a.dkeys[row * A + k] += ds;
        for (int64_t f = 0; a.dfeatures && f < a.f.F; ++f) {
          a.dfeatures[(n * m.T + t) * a.f.F + f] += ds * a.f.feature_weight[f * A + k];
          a.dfeature_weight[f * A + k] += ds * a.f.features[(n * m.T + t) * a.f.F + f];
        }
      }
    }
}

template <class R>
void convolve_weights(const ConvolveWeights<R>& a) {
  const Memory& m = a.memory;
  std::fill_n(a.features, m.N * m.T * a.F, R{0});
  for (int64_t n = 0; n < m.N; ++n)
    for (int64_t t = 0; t < m.seen_by(n).length; ++t) {
      const int64_t first = t - a.width / 2;
      const int64_t begin = std::max<int64_t>(0, -first), end = std::min(a.width, m.seen_by(n).length - first);
      for (int64_t f = 0; f < a.F; ++f) {
        R sum = 0;
        for (int64_t j = begin; j < end; ++j) sum += a.filters[f * a.width + j] * a.weights[n * m.T + first + j];
        a.features[(n * m.T + t) * a.F + f] = sum;
      }
    }
}

template <class R>
void convolve_weights_backward(const ConvolveWeightsBackward<R>& a) {
  const Memory& m = a.f.memory;
  const int64_t width = a.f.width;
  for (int64_t n = 0; n < m.N; ++n)
    for (int64_t t = 0; t < m.seen_by(n).length; ++t) {
      const int64_t first = t - width / 2;
      const int64_t begin = std::max<int64_t>(0, -first), end = std::min(width, m.seen_by(n).length - first);
      for (int64_t f = 0; f < a.f.F; ++f) {
        const R d = a.dfeatures[(n * m.T + t) * a.f.F + f];
        for (int64_t j = begin; j < end; ++j) {
          // forward: features = filters * weights
          if (a.dweights) a.dweights[n * m.T + first + j] += d * a.f.filters[f * width + j];
          if (a.dfilters) a.dfilters[f * width + j] += d * a.f.weights[n * m.T + first + j];
        }
      }
    }
}

template <class R>
void attend(const Attend<R>& a) {
  const Memory& m = a.memory;
  for (int64_t n = 0; n < m.N; ++n) {
    const Memory::Span seen = m.seen_by(n);
    const R* e = a.energies + n * m.T;
    R *w = a.weights + n * m.T, *out = a.context + n * a.M;
    std::fill_n(out, a.M, R{0});
    if (a.softmax) {
      std::fill_n(w, m.T, R{0});
      const R top = seen.length ? *std::max_element(e, e + seen.length) : 0;
      R sum = 0;
      for (int64_t t = 0; t < seen.length; ++t) sum += w[t] = std::exp(e[t] - top);
      for (int64_t t = 0; t < seen.length; ++t) w[t] /= sum;
    }
    for (int64_t t = 0; t < seen.length; ++t)
      for (int64_t k = 0; k < a.M; ++k) out[k] += w[t] * a.values[(seen.first + t) * a.M + k];
  }
}

template <class R>
void attend_backward(const AttendBackward<R>& a) {
  const Memory& m = a.f.memory;
  const int64_t M = a.f.M;
  for (int64_t n = 0; n < m.N; ++n) {
    const Memory::Span seen = m.seen_by(n);
    const R* w = a.f.weights + n * m.T;
    auto dw = [&](int64_t t) {
      // forward: context = sum_t w[t] values[t]
      R sum = a.dweights ? a.dweights[n * m.T + t] : 0;
      if (a.dcontext)
        for (int64_t k = 0; k < M; ++k) sum += a.dcontext[n * M + k] * a.f.values[(seen.first + t) * M + k];
      return sum;
    };
    R mean = 0;
    for (int64_t t = 0; t < seen.length; ++t) mean += w[t] * dw(t);
    for (int64_t t = 0; t < seen.length; ++t) {
      // forward: w = softmax(e)
      if (a.denergies) a.denergies[n * m.T + t] += a.f.softmax ? w[t] * (dw(t) - mean) : dw(t);
      if (a.dvalues && a.dcontext)
        for (int64_t k = 0; k < M; ++k) a.dvalues[(seen.first + t) * M + k] += w[t] * a.dcontext[n * M + k];
    }
  }
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(score_dot, ScoreDot)
LOOKBACK_REF_INSTANCES(score_dot_backward, ScoreDotBackward)
LOOKBACK_REF_INSTANCES(tanh_factors, TanhFactors)
LOOKBACK_REF_INSTANCES(score_additive, ScoreAdditive)
LOOKBACK_REF_INSTANCES(score_additive_backward, ScoreAdditiveBackward)
LOOKBACK_REF_INSTANCES(convolve_weights, ConvolveWeights)
LOOKBACK_REF_INSTANCES(convolve_weights_backward, ConvolveWeightsBackward)
LOOKBACK_REF_INSTANCES(attend, Attend)
LOOKBACK_REF_INSTANCES(attend_backward, AttendBackward)
