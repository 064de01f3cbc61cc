#pragma once

#include <cstdint>

namespace lookback {

// How many units hold n: n / unit, rounded up. For n >= 0 and unit > 0.
constexpr int64_t ceil_div(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

}  // namespace lookback
