// For tests of recurrent layers: shapes to run them on, and the same layers made of cells.
#pragma once

#include "lookback/ops/linear.h"
#include "lookback/ops/recurrent.h"
#include "lookback/ops/testing.h"

namespace lookback::testing {

using ops::Direction;

struct Case {
  std::vector<int64_t> lengths;
  int64_t I, H;
};

inline std::vector<Case> cases() {
  return {
      {{1}, 1, 1},           // one of everything
      {{4}, 3, 2},           // B = 1
      {{1, 1, 1}, 2, 3},     // T = 1
      {{3, 3}, 2, 1},        // H = 1
      {{5, 3, 3, 1}, 3, 9},  // ragged
      {{3, 2, 0}, 2, 3},     // an empty sentence
      {{4, 0, 0}, 1, 2},     // most of them empty
  };
}

constexpr Direction kDirections[] = {Direction::forward, Direction::reverse};

// x, w_ih, w_hh, b_ih, b_hh, and perhaps h0 (and c0).
inline Inputs inputs_of(const Case& c, int64_t gates, int64_t states) {
  const int64_t N = Steps(c.lengths).N(), B = static_cast<int64_t>(c.lengths.size()), G = gates * c.H;
  Inputs in = {random_param({N, c.I}, 1), random_param({G, c.I}, 2), random_param({G, c.H}, 3), random_param({G}, 4),
               random_param({G}, 5)};
  for (int64_t k = 0; k < states; ++k) in.push_back(random_param({B, c.H}, 6 + static_cast<uint64_t>(k)));
  return in;
}

inline ops::RecurrentWeights weights_of(const Inputs& in) { return {in[1], in[2], in[3], in[4]}; }

inline ops::RecurrentState state_of(const Inputs& in) {
  return {in.size() > 5 ? in[5] : Var(), in.size() > 6 ? in[6] : Var()};
}

// A layer as cells stepped one by one with linear, in the order of the direction. The states that cross a multiple of
// bptt are constants.
struct Stepped {
  Var h, last_h, last_c;
};

inline Stepped stepped(const Inputs& x, const std::vector<int64_t>& lengths, Direction d, bool gru, int64_t bptt = 0) {
  const Steps steps(lengths);
  const auto w = weights_of(x);
  const int64_t H = w.w_hh.dim(1);
  std::vector<Var> rows(static_cast<size_t>(steps.N())), last_h, last_c;
  for (int64_t b = 0; b < steps.B(); ++b) {
    const auto start = [&](size_t k) {
      return x.size() > k ? ops::slice_rows(x[k], b, b + 1) : Var(Tensor::zeros({1, H}, x[0].dtype()));
    };
    Var h = start(5), c = start(6);
    const int64_t length = lengths[static_cast<size_t>(b)];
    for (int64_t s = 0; s < length; ++s) {
      const bool reverse = d == Direction::reverse;
      const int64_t t = reverse ? length - 1 - s : s, border = reverse ? t + 1 : t, row = steps.row(t, b);
      if (s && bptt && border % bptt == 0) h = Var(h.value()), c = Var(c.value());
      const Var in = ops::linear(ops::slice_rows(x[0], row, row + 1), w.w_ih, {.bias = w.b_ih});
      if (gru) {
        h = ops::gru_cell(in, ops::linear(h, w.w_hh, {.bias = w.b_hh}), h);
      } else {
        const auto out = ops::lstm_cell(ops::linear(h, w.w_hh, {.bias = w.b_hh, .addend = in}), c);
        h = out.h, c = out.c;
      }
      rows[static_cast<size_t>(row)] = h;
    }
    last_h.push_back(h), last_c.push_back(c);
  }
  return {ops::concat_rows(rows), ops::concat_rows(last_h), ops::concat_rows(last_c)};
}

}  // namespace lookback::testing
