// Losses of numbers that are to be predicted, as of a forecast.
#pragma once

#include <string>
#include <vector>

#include "lookback/autograd/var.h"

namespace lookback::ops {

struct ValueLossOptions {
  enum class Kind {
    squared,   // (p - y)^2
    absolute,  // |p - y|
    huber,     // e^2 / 2 for |e| <= delta, delta (|e| - delta / 2) beyond   (Huber 1964, as torch.nn.HuberLoss)
    quantile,  // the mean over levels q of 2 max(q e, (q - 1) e), e = y - p_q   (Koenker and Bassett 1978)
  };
  Kind kind = Kind::squared;
  double delta = 1;
  std::vector<double> levels = {};  // Kind::quantile: in (0, 1)
  double scale = 1;                 // the loss is scale times the sum over values
};

struct ValueLossOut {
  Var loss;             // [1] scale * loss_sum
  double loss_sum = 0;  // over the values that are there
  int64_t values = 0;   // how many are
};

// prediction [N, H], or [N, H * Q] with Q levels, those of a value side by side; targets [N, H], NaN where there is
// none: no loss, no gradient. Sums are in double, in the order of rows. Throws ShapeError for what does not fit.
ValueLossOut value_loss(const Var& prediction, const Tensor& targets, const ValueLossOptions& options = {});

}  // namespace lookback::ops
