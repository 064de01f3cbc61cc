// Private to ops: what recurrent layers of both kinds share.
#pragma once

#include "lookback/ops/recurrent.h"

namespace lookback::ops {

struct LayerKind {
  const char* name;
  int64_t gates;
};
inline constexpr LayerKind kLstm{"lstm", 4}, kGru{"gru", 3};

inline void check_weights(const LayerKind& kind, int64_t I, const RecurrentWeights& w) {
  const auto [name, gates] = kind;
  check(w.w_hh.shape().rank() == 2 && w.w_hh.dim(0) == gates * w.w_hh.dim(1), name, ": w_hh must be [", gates,
        "H,H], got ", w.w_hh.shape());
  const int64_t H = w.w_hh.dim(1);
  check(w.w_ih.shape() == Shape{gates * H, I}, name, ": w_ih must be ", Shape{gates * H, I}, ", got ", w.w_ih.shape());
  check(w.b_ih.shape() == Shape{gates * H}, name, ": b_ih must be ", Shape{gates * H}, ", got ", w.b_ih.shape());
  check(w.b_hh.shape() == Shape{gates * H}, name, ": b_hh must be ", Shape{gates * H}, ", got ", w.b_hh.shape());
}

inline void check_state(const LayerKind& kind, const Steps& steps, const RecurrentWeights& w,
                        const RecurrentState& initial) {
  for (const Var& s : {initial.h, initial.c})
    check(!s || s.shape() == Shape{steps.B(), w.w_hh.dim(1)}, kind.name, ": an initial state must be ",
          Shape{steps.B(), w.w_hh.dim(1)});
  check(kind.gates == kLstm.gates || !initial.c, kind.name, ": there is no cell state");
}

}  // namespace lookback::ops
