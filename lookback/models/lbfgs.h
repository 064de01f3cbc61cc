// Private to models: the minimum of a smooth convex function of many numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace lookback {

// The value at x; writes the gradient, which has the size of x.
using SmoothFunction = std::function<double(const std::vector<double>& x, std::vector<double>& gradient)>;

struct LbfgsOptions {
  double tolerance = 1e-7;  // ends where no element of the gradient is further from 0
  int64_t max_steps = 2000;
  int64_t memory = 10;  // pairs of vectors of the size of x
};

// L-BFGS (Liu and Nocedal 1989, "On the limited memory BFGS method for large scale optimization") from x, with steps
// that meet the weak conditions of Wolfe, found by halving and doubling. One thread, sums in a fixed order: the same
// bits every time. Returns where it ended: at the tolerance, at max_steps, or where rounding hides any progress.
std::vector<double> minimise(const SmoothFunction& f, std::vector<double> x, const LbfgsOptions& options = {});

}  // namespace lookback
