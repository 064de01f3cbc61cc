// Private to ops: a ragged batch in stretches of steps, between which a recurrent layer hands on its
// states, and backward their gradients.
#pragma once

#include <vector>

#include "lookback/kernels/kernels.h"
#include "lookback/ops/recurrent.h"

namespace lookback::ops {

// Consecutive steps, their rows counted from the first of them.
struct Window {
  int64_t first_row;           // in the whole batch
  std::vector<int64_t> begin;  // [steps+1]
  int64_t entering;            // the first rows, which go on from the window walked before
  bool cut;                    // whether gradients stop there

  int64_t T() const { return static_cast<int64_t>(begin.size()) - 1; }
  int64_t N() const { return begin.back(); }
  int64_t B() const { return begin[1]; }
  kernels::PackedSteps view() const { return {T(), begin.data()}; }
  // Its rows of what belongs to the whole batch.
  Tensor of(const Tensor& whole) const { return whole.rows(first_row, first_row + N()); }
};

// In the order of the walk. They end where a state is kept or the gradient is cut, which are the same steps of a
// sequence in both directions and in any batch.
std::vector<Window> windows_of(const Steps& steps, const RecurrentOptions& options);

// [B, H]: of every sequence the state the walk has reached, at first the initial one.
Tensor states_at_start(const Var& initial, const Shape& shape, Dtype dtype);
// The states [B, H] that a window starts from; empty if they are zeros because nothing came before.
Tensor start_of(const Window& w, const Tensor& reached, const Var& initial);
// What the window did to them; states [N, H] are its own.
void reach(const Window& w, Direction direction, const Tensor& states, const Tensor& reached);

// carry [B, H]: of every sequence the gradient of the state that backward has reached, at first of its last.
Tensor carry_at_end(const Tensor& dlast, const Shape& shape, Dtype dtype);
// After a window: `out` is the gradient of the states it started from.
void hand_back(const Window& w, const Tensor& out, const Tensor& carry);

}  // namespace lookback::ops
