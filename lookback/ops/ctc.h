// Connectionist temporal classification: sequences labelled without saying which frame is which label.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/autograd/var.h"
#include "lookback/ops/layout.h"

namespace lookback::ops {

struct CtcOptions {
  int32_t blank = 0;  // the class that stands for no token
  double scale = 1;   // the loss is scale times the sum over sequences
};

struct CtcOut {
  Var loss;                // [1] scale * loss_sum
  double loss_sum = 0;     // sum of -log p(target | frames), of the sequences that are possible
  int64_t impossible = 0;  // sequences whose frames cannot give their target: without a loss and a gradient
};

// The CTC loss of Graves, Fernandez, Gomez and Schmidhuber 2006, equations 3 to 16, with the softmax inside: every
// frame has logits over V classes, a path takes one class of each frame, and it stands for what is left when repeats
// are joined and then blanks taken out. p(target | frames) is the sum over all paths that stand for the target,
//   d loss / d logits[t, k] = scale * (softmax(logits[t])[k] - share of paths, by probability, that take k at t).
// logits [N, V] of rows sequence after sequence, as `frames` says; targets[s], without blanks, of sequence s of it.
// Impossible is a target of more tokens, and blanks between equal ones, than there are frames, or of probability zero
// (logits of -infinity). Without frames, an empty target costs nothing. Numbers may be of any size: frames by the ten
// thousand lose nothing. While it runs, a sequence of T frames and L tokens takes 32 T L bytes. A sequence's loss and
// gradient depend on it alone. Throws ShapeError.
CtcOut ctc_loss(const Var& logits, const MemoryLayout& frames, const std::vector<std::vector<int32_t>>& targets,
                const CtcOptions& options = {});

}  // namespace lookback::ops
