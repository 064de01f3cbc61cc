// Skip-gram with negative sampling (Mikolov et al. 2013, "Distributed representations of words and phrases and their
// compositionality"): one block of windows.
#pragma once

#include <cstdint>

namespace lookback::kernels {

// A window is some rows of `in`, its inputs, and T rows of `out`, its outputs, of which the first is the true one and
// the others are negatives, shared by the inputs (Ji et al. 2016, "Parallelizing word2vec in shared and distributed
// memory"). With x a row of in and y a row of out, each pair of an input and an output has the loss
//   -log sigmoid(x.y) for the true output, -log sigmoid(-x.y) for a negative one,
// and rate times the negative gradient is e y for x and e x for y, with the error e = rate (true - sigmoid(x.y)).
//
// The errors of all windows are taken from the tables as they are before the first; then the windows follow one
// another: every input gets its sum of e y, every output its sum of e x, of the rows as they are before the window.
template <class R>
struct SkipGram {
  // The most inputs and outputs that a window may have.
  static constexpr int64_t kMostInputs = 256, kMostTargets = 128;

  int64_t N, T, W;         // windows; outputs of each; values in a row, a multiple of 16
  const int64_t* begin;    // [N + 1] the inputs of window n are begin[n] to begin[n + 1]
  const int32_t* inputs;   // rows of in; a row may be there twice
  const int32_t* outputs;  // [N, T] rows of out, likewise
  R rate;
  R *in, *out;
  R* errors;  // [begin[N] - begin[0], T], overwritten
};

}  // namespace lookback::kernels
