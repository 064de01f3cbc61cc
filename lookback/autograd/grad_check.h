// The test that holds up all ops: analytic gradients against central differences.
#pragma once

#include <functional>
#include <vector>

#include "lookback/autograd/var.h"

namespace lookback {

// Largest |numeric - analytic| / max(1, |numeric|) over every element of every
// input, which must be f64 parameters. `loss` is run afresh for every probe and
// must be a pure function of the inputs that returns one element.
double grad_error(const std::vector<Var>& inputs, const std::function<Var()>& loss);

}  // namespace lookback
