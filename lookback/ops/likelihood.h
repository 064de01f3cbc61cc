// Distributions that are forecast by their parameters: from what a layer gives to parameters, and from these to a
// loss, quantiles and random numbers.
#pragma once

#include <cstdint>
#include <span>

#include "lookback/base/rng.h"
#include "lookback/ops/value_loss.h"

namespace lookback::ops {

enum class Likelihood {
  gaussian,   // location m and scale s > 0: mean and standard deviation
  student_t,  // and df > 2 degrees of freedom: (y - m) / s is of Student's distribution
};

// P: 2 or 3, in the order above.
int64_t parameters_of(Likelihood kind);

// raw [N, H * P], the P numbers of a value side by side, becomes parameters of that shape:
//   m = spread raw_0, s = spread (softplus(raw_1) + 1e-5), df = 2 + softplus(raw_2)
// spread [N] is what the values of a row are multiples of. Throws ShapeError for what does not fit.
Var likelihood_parameters(const Var& raw, Likelihood kind, const Tensor& spread);

// -log density of targets [N, H], NaN where there is none: no loss, no gradient. parameters [N, H * P], each s and df
// above 0. The sum and what `scale` does are those of value_loss. Throws ShapeError for what does not fit.
ValueLossOut likelihood_loss(const Var& parameters, const Tensor& targets, Likelihood kind, double scale = 1);

// What a value is below with probability `level` in (0, 1), and a random value; parameters [P] of one value. Throws
// ShapeError for another number of them, or a level that is none.
double quantile(Likelihood kind, std::span<const double> parameters, double level);
double sample(Likelihood kind, std::span<const double> parameters, Rng& rng);

}  // namespace lookback::ops
