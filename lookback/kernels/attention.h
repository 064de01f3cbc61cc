// Kernels of attention. N rows of queries, S rows of memory, T columns, A attention width, M memory width.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lookback::kernels {

// The memory rows that each row of the queries sees: sentence s owns rows begin[s] .. begin[s+1], and row n sees
// positions begin_of_row[n] .. end_of_row[n] of sentence_of_row[n], or all of them where the two are null. Column t of
// row n is the t-th position that it sees. Weights and energies are [N, T] with T >= the longest span; columns past a
// row's own span are zero.
struct Memory {
  int64_t sentences;
  const int64_t* begin;  // [sentences+1]
  int64_t N;
  const int32_t* sentence_of_row;  // [N]
  int64_t T;
  const int32_t* begin_of_row = nullptr;  // [N]
  const int32_t* end_of_row = nullptr;    // [N]

  struct Span {
    int64_t first, length;  // memory rows first .. first + length
  };
  Span seen_by(int64_t n) const {
    const int64_t* const sentence = begin + sentence_of_row[n];
    if (!begin_of_row) return {sentence[0], sentence[1] - sentence[0]};
    return {sentence[0] + begin_of_row[n], int64_t{end_of_row[n]} - begin_of_row[n]};
  }
};

// energies[n,t] = scale * query[n] . keys[seen_by(n).first + t]
template <class R>
struct ScoreDot {
  Memory memory;
  int64_t A;
  R scale;
  const R* query;  // [N, A]
  const R* keys;   // [S, A]
  R* energies;     // [N, T]
};

template <class R>
struct ScoreDotBackward {
  ScoreDot<R> f;
  const R* denergies;  // [N, T]
  R *dquery, *dkeys;
};

// y = e^(-2 x), or NaN where |x| > kMostOfFactor: tanh(a + b) = 2 / (1 + e^(-2 a) e^(-2 b)) - 1, and of so many sums of
// few terms no exponential is left.
template <class R>
struct TanhFactors {
  int64_t size;
  const R* x;  // [size]
  R* y;        // [size]
};
constexpr double kMostOfFactor = 43;  // in float no factor is 0 or infinite, so that the product of two is a number

// energies[n,t] = v . tanh(query[n] + keys[seen_by(n).first + t])   (Bahdanau et al. 2015); with features,
// feature_weight^T features[n,t] is added inside of the tanh   (Chorowski et al. 2015)
template <class R>
struct ScoreAdditive {
  Memory memory;
  int64_t A;
  const R* query;  // [N, A]
  const R* keys;   // [S, A]
  const R* v;      // [A]
  R* energies;     // [N, T]
  int64_t F = 0;
  const R* features = nullptr;        // [N, T, F]
  const R* feature_weight = nullptr;  // [F, A]
  const R* key_factors = nullptr;     // [S, A] tanh_factors of the keys, which spare time; not with features
};

template <class R>
struct ScoreAdditiveBackward {
  ScoreAdditive<R> f;
  const R* denergies;  // [N, T]
  R *dquery, *dkeys;
  R* dv;          // [A]
  R* dv_scratch;  // [sentences, A]
  R* dfeatures = nullptr;
  R* dfeature_weight = nullptr;  // with both or neither of these
  R* feature_scratch = nullptr;  // [sentences, F, A]
};

// features[n,t,f] = sum_j filters[f,j] weights[n, t + j - width / 2], over the positions that the row sees; zero past
// them. What location-aware attention sees of the weights of the step before   (Chorowski et al. 2015, F * alpha)
template <class R>
struct ConvolveWeights {
  Memory memory;
  int64_t F, width;
  const R* weights;  // [N, T]
  const R* filters;  // [F, width]
  R* features;       // [N, T, F]
};

template <class R>
struct ConvolveWeightsBackward {
  ConvolveWeights<R> f;
  const R* dfeatures;  // [N, T, F]
  R *dweights, *dfilters;
};

// weights = softmax of energies over the positions that the row sees; context = weights . values
// A row that sees none gets zeros. Without softmax the weights are there already, and nothing reads the energies.
template <class R>
struct Attend {
  Memory memory;
  int64_t M;
  const R* energies;  // [N, T]
  const R* values;    // [S, M]
  R* weights;         // [N, T]
  R* context;         // [N, M]
  bool softmax = true;
};

template <class R>
struct AttendBackward {
  Attend<R> f;
  const R* dcontext;       // [N, M] or null
  const R* dweights;       // [N, T] or null
  R *denergies, *dvalues;  // without softmax denergies is the gradient of the weights
};

// Self-attention of several heads (Vaswani et al. 2017). Sentence s owns rows begin[s] .. begin[s+1]; head h owns
// columns h*width .. (h+1)*width of all matrices, C = heads * width. Position t sees position u of its sentence as it
// is said below, and
//   out[t] = sum_u w[t,u] value[u],  w[t,:] = softmax of scale * query[t] . key[u] + bias[h, clamp(t - u)]
// Of the weights only two numbers a row and head are kept.
template <class R>
struct MultiHead {
  int64_t sentences;
  const int64_t* begin;  // [sentences+1]
  int64_t N, heads, width;
  R scale;
  bool causal;                   // nothing later than itself
  int64_t window;                // nothing further away than this; 0: however far
  int64_t reach;                 // distances are clamped to -reach .. reach
  const R *query, *key, *value;  // [N, C]
  const R* bias;                 // [heads, 2*reach+1] or null
  R* out;                        // [N, C]
  R* top;                        // [heads, N] the largest score of each row
  R* inverse;                    // [heads, N] 1 / sum_u exp(score - top)

  int64_t first_seen(int64_t t) const { return window ? std::max<int64_t>(0, t - window) : 0; }
  int64_t end_seen(int64_t t, int64_t length) const {
    const int64_t end = causal ? t + 1 : length;
    return window ? std::min(end, t + window + 1) : end;
  }
  bool sees(int64_t distance) const {
    return (!causal || distance >= 0) && (!window || (-window <= distance && distance <= window));
  }
  // The column of a distance t - u in a row of the bias.
  int64_t column(int64_t distance) const { return std::clamp(distance, -reach, reach) + reach; }
};

template <class R>
struct MultiHeadBackward {
  MultiHead<R> f;
  const R* dout;  // [N, C]
  R *dquery, *dkey, *dvalue, *dbias;
  // Whether what stands in these gradients is replaced. They are written in this order, should they be one.
  bool replace_dquery, replace_dkey, replace_dvalue;
  R* dbias_scratch;  // [sentences, heads, 2*reach+1]; null without dbias
};

}  // namespace lookback::kernels
