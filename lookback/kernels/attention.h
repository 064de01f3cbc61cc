// Kernels of attention. N rows of queries, S rows of memory, T the longest sentence, A attention width, M memory width.
#pragma once

#include <cstdint>

namespace lookback::kernels {

// The sentences that queries attend to: sentence s owns memory rows begin[s] .. begin[s+1].
// Row n of the queries attends to sentence_of_row[n]. Weights and energies are [N, T] with
// T >= the longest sentence; columns past a sentence's own length are zero.
struct Memory {
  int64_t sentences;
  const int64_t* begin;  // [sentences+1]
  int64_t N;
  const int32_t* sentence_of_row;  // [N]
  int64_t T;

  int64_t length(int64_t n) const { return begin[sentence_of_row[n] + 1] - begin[sentence_of_row[n]]; }
};

// energies[n,t] = scale * query[n] . keys[begin[sentence_of_row[n]] + t]
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

// energies[n,t] = v . tanh(query[n] + keys[begin[sentence_of_row[n]] + t])   (Bahdanau et al. 2015); with features,
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

// features[n,t,f] = sum_j filters[f,j] weights[n, t + j - width / 2], over the sentence's own positions; zero past
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

// weights = softmax of energies over the sentence's own positions; context = weights . values
// A sentence without positions gives zeros.
template <class R>
struct Attend {
  Memory memory;
  int64_t M;
  const R* energies;  // [N, T]
  const R* values;    // [S, M]
  R* weights;         // [N, T]
  R* context;         // [N, M]
};

template <class R>
struct AttendBackward {
  Attend<R> f;
  const R* dcontext;  // [N, M] or null
  const R* dweights;  // [N, T] or null
  R *denergies, *dvalues;
};

}  // namespace lookback::kernels
