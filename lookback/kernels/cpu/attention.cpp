// Scores, softmax over what a row sees and the weighted sum. Rows run side by side
// forward; sentences run side by side backward, so that rows that look at one
// sentence add to its gradients in their own order.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/attention.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/simd-inl.h"
#include "lookback/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

void ScoreDotRow(const ScoreDot<float>& a, int64_t n) {
  const Memory& m = a.memory;
  float* e = a.energies + n * m.T;
  const auto [first, length] = m.seen_by(n);
  const float* keys = a.keys + first * a.A;
  for (int64_t t = 0; t < length; ++t) e[t] = a.scale * dot(a.query + n * a.A, keys + t * a.A, a.A);
  std::fill(e + length, e + m.T, 0.0f);
}

void ScoreDotRowBackward(const ScoreDotBackward<float>& a, int64_t n) {
  const Memory& m = a.f.memory;
  const auto [first, length] = m.seen_by(n);
  const int64_t A = a.f.A;
  for (int64_t t = 0; t < length; ++t) {
    const float de = a.f.scale * a.denergies[n * m.T + t];
    // forward: energy = scale * q . k
    if (a.dquery) axpy_row(de, a.f.keys + (first + t) * A, a.dquery + n * A, A);
    if (a.dkeys) axpy_row(de, a.f.query + n * A, a.dkeys + (first + t) * A, A);
  }
}

// q + key + feature_weight^T features, from column k on.
HWY_INLINE V BeforeTanh(const ScoreAdditive<float>& a, const float* q, const float* key, const float* features,
                        int64_t k, int64_t left) {
  V sum = hn::Add(load(q, left), load(key, left));
  for (int64_t f = 0; f < a.F; ++f)
    sum = hn::MulAdd(hn::Set(D(), features[f]), load(a.feature_weight + f * a.A + k, left), sum);
  return sum;
}

void TanhFactorsRow(const float* x, int64_t size, float* y) {
  const D d;
  const V most = hn::Set(d, static_cast<float>(kMostOfFactor)), none = hn::NaN(d);
  for (int64_t k = 0; k < size; k += lanes()) {
    const V one = load(x + k, size - k);
    const V factor = exp_of_number(hn::Mul(hn::Set(d, -2.0f), one));
    store(hn::IfThenElse(hn::Le(hn::Abs(one), most), factor, none), y + k, size - k);
  }
}

// tanh of a sum from the factors of its terms; NaN if one has none.
HWY_INLINE V TanhOfFactors(V a, V b) {
  const V one = hn::Set(D(), 1.0f);
  return hn::Sub(hn::Div(hn::Set(D(), 2.0f), hn::MulAdd(a, b, one)), one);
}

// v . u, where u(k, left) gives the next lanes of u at k, of which `left` exist.
template <class U>
HWY_INLINE float EnergyOf(const ScoreAdditive<float>& a, const U& u) {
  Wide sum;
  each_of_row(0, a.A, [&](int p, int64_t k, int64_t left) HWY_ATTR {
    sum.part[p] = hn::MulAdd(load(a.v + k, left), u(k, left), sum.part[p]);
  });
  return sum_of(sum);
}

// scratch: [A], for the factors of the query.
void ScoreAdditiveRow(const ScoreAdditive<float>& a, int64_t n, float* scratch) {
  const Memory& m = a.memory;
  float* e = a.energies + n * m.T;
  const float* q = a.query + n * a.A;
  const auto [first, length] = m.seen_by(n);
  if (a.key_factors) TanhFactorsRow(q, a.A, scratch);
  for (int64_t t = 0; t < length; ++t) {
    if (a.key_factors) {
      const float* factors = a.key_factors + (first + t) * a.A;
      e[t] = EnergyOf(a, [&](int64_t k, int64_t left)
                             HWY_ATTR { return TanhOfFactors(load(scratch + k, left), load(factors + k, left)); });
      if (!std::isnan(e[t])) continue;
    }
    const float* key = a.keys + (first + t) * a.A;
    const float* features = a.features + (n * m.T + t) * a.F;
    e[t] = EnergyOf(
        a, [&](int64_t k, int64_t left) HWY_ATTR { return tanh(BeforeTanh(a, q + k, key + k, features, k, left)); });
  }
  std::fill(e + length, e + m.T, 0.0f);
}

// The tanh is computed again instead of kept: [N, T, A] numbers would not fit. scratch: [A], the factors of the query,
// or with features the gradient before the tanh; dw: [F, A], that of the feature weight.
void ScoreAdditiveRowBackward(const ScoreAdditiveBackward<float>& a, int64_t n, float* dv, float* scratch, float* dw) {
  const Memory& m = a.f.memory;
  const auto [first, length] = m.seen_by(n);
  const int64_t A = a.f.A;
  const V one = hn::Set(D(), 1.0f);
  const float* q = a.f.query + n * A;
  if (a.f.key_factors) TanhFactorsRow(q, A, scratch);
  for (int64_t t = 0; t < length; ++t) {
    const float* key = a.f.keys + (first + t) * A;
    const float* factors = a.f.key_factors ? a.f.key_factors + (first + t) * A : nullptr;
    const float* features = a.f.features + (n * m.T + t) * a.f.F;
    const auto tanh_at = [&](int64_t k, int64_t left) HWY_ATTR {
      if (factors) {
        const V u = TanhOfFactors(load(scratch + k, left), load(factors + k, left));
        const auto none = hn::IsNaN(u);
        if (hn::AllFalse(D(), none)) return u;
        return hn::IfThenElse(none, tanh(BeforeTanh(a.f, q + k, key + k, features, k, left)), u);
      }
      return tanh(BeforeTanh(a.f, q + k, key + k, features, k, left));
    };
    const V de = hn::Set(D(), a.denergies[n * m.T + t]);
    for (int64_t k = 0; k < A; k += lanes()) {
      const int64_t left = A - k;
      // forward: energy = v . tanh(q + k + features W)
      const V u = tanh_at(k, left);
      const V ds = hn::Mul(hn::Mul(de, load(a.f.v + k, left)), hn::NegMulAdd(u, u, one));
      if (dv) store(hn::MulAdd(de, u, load(dv + k, left)), dv + k, left);
      if (a.dquery) store(hn::Add(ds, load(a.dquery + n * A + k, left)), a.dquery + n * A + k, left);
      float* dkey = a.dkeys ? a.dkeys + (first + t) * A + k : nullptr;
      if (dkey) store(hn::Add(ds, load(dkey, left)), dkey, left);
      if (a.dfeatures) store(ds, scratch + k, left);
    }
    for (int64_t f = 0; a.dfeatures && f < a.f.F; ++f) {
      a.dfeatures[(n * m.T + t) * a.f.F + f] += dot(scratch, a.f.feature_weight + f * A, A);
      axpy_row(features[f], scratch, dw + f * A, A);
    }
  }
}

void SoftmaxRow(const float* e, float* w, int64_t length, int64_t T) {
  float top = length ? e[0] : 0, sum = 0;
  for (int64_t t = 1; t < length; ++t) top = std::max(top, e[t]);
  for (int64_t t = 0; t < length; t += lanes())
    store(exp(hn::Sub(load(e + t, length - t), hn::Set(D(), top))), w + t, length - t);
  for (int64_t t = 0; t < length; ++t) sum += w[t];
  for (int64_t t = 0; t < length; ++t) w[t] /= sum;
  std::fill(w + length, w + T, 0.0f);
}

// out = sum over t of w[t] values[t], for so many vectors of columns at a time, whose sums stay in registers. `left`
// columns exist.
template <int kVectors>
HWY_INLINE void WeightedColumns(const float* w, const float* values, int64_t M, int64_t length, float* out,
                                int64_t left) {
  const D d;
  const int64_t L = lanes();
  V sum[kVectors];
  HWY_UNROLL(8) for (int v = 0; v < kVectors; ++v) sum[v] = hn::Zero(d);
  constexpr int64_t kAhead = 8;  // rows that are fetched before their turn; one beside another lies in another page
  for (int64_t t = 0; t < length; ++t) {
    const V weight = hn::Set(d, w[t]);
    const float* const row = values + t * M;
    HWY_UNROLL(8) for (int v = 0; v < kVectors; ++v) {
      if (v * L % 16 == 0) __builtin_prefetch(row + kAhead * M + v * L);
      sum[v] = hn::MulAdd(weight, kVectors > 1 ? hn::LoadU(d, row + v * L) : load(row, left), sum[v]);
    }
  }
  HWY_UNROLL(8) for (int v = 0; v < kVectors; ++v) store(sum[v], out + v * L, left - v * L);
}

void AttendRow(const Attend<float>& a, int64_t n) {
  const Memory& m = a.memory;
  const auto [first, length] = m.seen_by(n);
  const float* values = a.values + first * a.M;
  float *w = a.weights + n * m.T, *out = a.context + n * a.M;
  if (a.softmax) SoftmaxRow(a.energies + n * m.T, w, length, m.T);
  constexpr int kVectors = 8;
  int64_t k = 0;
  for (; k + kVectors * lanes() <= a.M; k += kVectors * lanes())
    WeightedColumns<kVectors>(w, values + k, a.M, length, out + k, a.M - k);
  for (; k < a.M; k += lanes()) WeightedColumns<1>(w, values + k, a.M, length, out + k, a.M - k);
}

// scratch: [T], the gradient of the weights.
void AttendRowBackward(const AttendBackward<float>& a, int64_t n, float* scratch) {
  const Memory& m = a.f.memory;
  const auto [first, length] = m.seen_by(n);
  const int64_t M = a.f.M;
  const float *w = a.f.weights + n * m.T, *dc = a.dcontext ? a.dcontext + n * M : nullptr;
  float mean = 0;
  for (int64_t t = 0; t < length; ++t) {
    // forward: context = sum_t w[t] values[t]
    scratch[t] = a.dweights ? a.dweights[n * m.T + t] : 0.0f;
    if (dc && a.denergies) scratch[t] += dot(dc, a.f.values + (first + t) * M, M);
    if (dc && a.dvalues) axpy_row(w[t], dc, a.dvalues + (first + t) * M, M);
    mean += w[t] * scratch[t];
  }
  // forward: w = softmax(e), or given
  for (int64_t t = 0; a.denergies && t < length; ++t)
    a.denergies[n * m.T + t] += a.f.softmax ? w[t] * (scratch[t] - mean) : scratch[t];
}

// The gradient of the values alone, of positions [begin, end).
void AttendValuesBackward(const AttendBackward<float>& a, int64_t n, int64_t begin, int64_t end) {
  const int64_t M = a.f.M, first = a.f.memory.seen_by(n).first;
  for (int64_t t = begin; t < end; ++t)
    axpy_row(a.f.weights[n * a.f.memory.T + t], a.dcontext + n * M, a.dvalues + (first + t) * M, M);
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/cpu.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels {
HWY_EXPORT(ScoreDotRow);
HWY_EXPORT(ScoreDotRowBackward);
HWY_EXPORT(TanhFactorsRow);
HWY_EXPORT(ScoreAdditiveRow);
HWY_EXPORT(ScoreAdditiveRowBackward);
HWY_EXPORT(AttendRow);
HWY_EXPORT(AttendRowBackward);
HWY_EXPORT(AttendValuesBackward);

namespace cpu_impl {
namespace {

template <class Args>
void each_row(const Args& a, void (*row)(const Args&, int64_t)) {
  parallel_for(a.memory.N, 4, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) row(a, n);
  });
}

// Calls f(n) for the rows of each sentence in their order, sentences side by side.
template <class F>
void each_sentence(const Memory& m, F&& f) {
  parallel_for(m.sentences, 2, [&](int64_t begin, int64_t end) {
    for (int64_t n = 0; n < m.N; ++n)
      if (begin <= m.sentence_of_row[n] && m.sentence_of_row[n] < end) f(n);
  });
}

}  // namespace

void score_dot(const ScoreDot<float>& a) { each_row(a, &LOOKBACK_BEST(ScoreDotRow)); }

void score_dot_backward(const ScoreDotBackward<float>& a) {
  const auto row = &LOOKBACK_BEST(ScoreDotRowBackward);
  each_sentence(a.f.memory, [&](int64_t n) { row(a, n); });
}

void tanh_factors(const TanhFactors<float>& a) {
  const auto row = &LOOKBACK_BEST(TanhFactorsRow);
  parallel_for(a.size, 4096, [&](int64_t begin, int64_t end) { row(a.x + begin, end - begin, a.y + begin); });
}

void score_additive(const ScoreAdditive<float>& a) {
  const auto row = &LOOKBACK_BEST(ScoreAdditiveRow);
  parallel_for(a.memory.N, 4, [&](int64_t begin, int64_t end) {
    thread_local std::vector<float> scratch;
    grow(scratch, a.A);
    for (int64_t n = begin; n < end; ++n) row(a, n, scratch.data());
  });
}

void score_additive_backward(const ScoreAdditiveBackward<float>& a) {
  const auto row = &LOOKBACK_BEST(ScoreAdditiveRowBackward);
  const Memory& m = a.f.memory;
  const int64_t A = a.f.A;
  const int64_t FA = a.f.F * A;
  if (a.dv) std::fill_n(a.dv_scratch, m.sentences * A, 0.0f);
  if (a.dfeatures) std::fill_n(a.feature_scratch, m.sentences * FA, 0.0f);
  each_sentence(m, [&](int64_t n) {
    thread_local std::vector<float> scratch;
    grow(scratch, A);
    const int64_t s = m.sentence_of_row[n];
    row(a, n, a.dv ? a.dv_scratch + s * A : nullptr, scratch.data(),
        a.dfeatures ? a.feature_scratch + s * FA : nullptr);
  });
  for (int64_t s = 0; s < m.sentences; ++s) {
    for (int64_t k = 0; a.dv && k < A; ++k) a.dv[k] += a.dv_scratch[s * A + k];
    for (int64_t k = 0; a.dfeatures && k < FA; ++k) a.dfeature_weight[k] += a.feature_scratch[s * FA + k];
  }
}

void attend(const Attend<float>& a) { each_row(a, &LOOKBACK_BEST(AttendRow)); }

// For the gradient of the values alone: all rows of a sentence add to some of its positions before they go on to the
// next, so that these stay close.
void attend_values_backward(const AttendBackward<float>& a) {
  constexpr int64_t kPositions = 16;
  const auto add = &LOOKBACK_BEST(AttendValuesBackward);
  const Memory& m = a.f.memory;
  parallel_for(m.sentences, 1, [&](int64_t s, int64_t) {
    thread_local std::vector<int64_t> rows;
    rows.clear();
    for (int64_t n = 0; n < m.N; ++n)
      if (m.sentence_of_row[n] == s) rows.push_back(n);
    for (int64_t begin = 0; begin < m.T; begin += kPositions)
      for (const int64_t n : rows) add(a, n, begin, std::min(begin + kPositions, m.seen_by(n).length));
  });
}

void attend_backward(const AttendBackward<float>& a) {
  if (!a.denergies && a.dcontext && a.dvalues) return attend_values_backward(a);
  const auto row = &LOOKBACK_BEST(AttendRowBackward);
  const Memory& m = a.f.memory;
  each_sentence(m, [&](int64_t n) {
    thread_local std::vector<float> scratch;
    grow(scratch, m.T);
    row(a, n, scratch.data());
  });
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE
