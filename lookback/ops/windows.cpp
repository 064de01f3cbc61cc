#include "lookback/ops/windows.h"

#include <algorithm>
#include <cstring>

namespace lookback::ops {
namespace {

bool ends(int64_t step, int64_t length) { return length > 0 && step % length == 0; }

void copy_rows(const Tensor& from, const Tensor& to) {
  std::memcpy(to.bytes(), from.bytes(), static_cast<size_t>(from.byte_size()));
}

Tensor copy_or_zeros(const Tensor& t, const Shape& shape, Dtype dtype) {
  return t.empty() ? Tensor::zeros(shape, dtype) : t.clone();
}

}  // namespace

std::vector<Window> windows_of(const Steps& steps, const RecurrentOptions& options) {
  std::vector<Window> out;
  const bool reverse = options.direction == Direction::reverse;
  for (int64_t first = 0, last = 1; first < steps.T(); ++last) {
    if (last < steps.T() && !ends(last, options.checkpoint) && !ends(last, options.bptt)) continue;
    Window w{.first_row = steps.begin(first), .entering = 0, .cut = false};
    for (int64_t t = first; t <= last; ++t) w.begin.push_back(steps.begin(t) - w.first_row);
    // Where the walk comes in, and how many rows were alive on the other side.
    const int64_t border = reverse ? last : first;
    if (border > 0 && border < steps.T()) w.entering = steps.alive(border), w.cut = ends(border, options.bptt);
    out.push_back(std::move(w));
    first = last;
  }
  if (reverse) std::reverse(out.begin(), out.end());
  return out;
}

Tensor states_at_start(const Var& initial, const Shape& shape, Dtype dtype) {
  return copy_or_zeros(initial ? initial.value() : Tensor(), shape, dtype);
}

Tensor start_of(const Window& w, const Tensor& reached, const Var& initial) {
  return w.entering || initial ? reached.rows(0, w.B()).clone() : Tensor();
}

void reach(const Window& w, Direction direction, const Tensor& states, const Tensor& reached) {
  const int64_t last = direction == Direction::reverse ? 0 : w.T() - 1;  // backwards, all rows get to the first step
  for (int64_t t = 0; t <= last; ++t) {
    const int64_t rows = w.begin[static_cast<size_t>(t) + 1] - w.begin[static_cast<size_t>(t)];
    const int64_t going = t == last ? 0 : w.begin[static_cast<size_t>(t) + 2] - w.begin[static_cast<size_t>(t) + 1];
    const int64_t at = w.begin[static_cast<size_t>(t)];
    copy_rows(states.rows(at + going, at + rows), reached.rows(going, rows));
  }
}

Tensor carry_at_end(const Tensor& dlast, const Shape& shape, Dtype dtype) { return copy_or_zeros(dlast, shape, dtype); }

void hand_back(const Window& w, const Tensor& out, const Tensor& carry) {
  copy_rows(out, carry.rows(0, w.B()));
  if (w.cut) carry.rows(0, w.entering).fill_zero();
}

}  // namespace lookback::ops
