// Pieces of work that do not see each other, several at once.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "lookback/autograd/var.h"
#include "lookback/base/parallel.h"
#include "lookback/base/precision.h"

namespace lookback {

// Whether so many pieces run side by side, each on one thread: if that keeps all threads at work, as none has to wait
// for another at every step.
inline bool side_by_side(size_t pieces) { return thread_count() > 1 && std::cmp_less_equal(thread_count(), pieces); }

// Calls run(k) for each piece k, side by side or one after the other on all threads, at the caller's precision of
// products and recording what it records. What one throws is thrown here: of several the one of the first piece.
template <class F>
void each_piece(size_t pieces, F&& run) {
  if (!side_by_side(pieces)) {
    for (size_t k = 0; k < pieces; ++k) run(k);
    return;
  }
  parallel_try(static_cast<int64_t>(pieces), 1,
               [&, precision = product_precision(), grad = grad_enabled()](int64_t k, int64_t) {
                 const PrecisionScope scope(precision);
                 std::optional<NoGrad> off;
                 if (!grad) off.emplace();
                 run(static_cast<size_t>(k));
               });
}

}  // namespace lookback
