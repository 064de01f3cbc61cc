#include "lookback/base/elementary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "lookback/base/log_of_normal.h"

namespace lookback::elementary {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The nearest integer, for |x| < 2^51.
double nearest(double x) {
  constexpr double kRound = 0x1.8p52;
  return (x + kRound) - kRound;
}

// 2^n for -1022 <= n <= 1023
double power_of_two(int64_t n) { return std::bit_cast<double>(static_cast<uint64_t>(n + 1023) << 52); }

// sum_k c[k] x^k
template <int N>
double polynomial(const double (&c)[N], double x) {
  double sum = c[N - 1];
  for (int k = N - 2; k >= 0; --k) sum = sum * x + c[k];
  return sum;
}

}  // namespace

double exp(double x) {
  if (std::isnan(x)) return x;
  if (x > 709.79) return kInfinity;
  if (x < -745.14) return 0;
  // x = n log 2 + r with |r| <= log(2) / 2; r + r^2 / 2 + ... by Taylor to r^13.
  constexpr double kTaylor[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  const double n = nearest(x * 1.4426950408889634);
  const double r = (x - n * kLog2High) - n * kLog2Low;
  const double e = 1 + (r + r * r * polynomial(kTaylor, r));
  const auto whole = static_cast<int64_t>(n), half = whole / 2;
  return e * power_of_two(half) * power_of_two(whole - half);
}

double log(double x) {
  if (std::isnan(x) || x < 0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return -kInfinity;
  if (x == kInfinity) return x;
  if (x < std::numeric_limits<double>::min()) return log_of_normal(x * 0x1p54, -54);
  return log_of_normal(x);
}

double log1p(double x) {
  // What the sum rounds away is added by the slope of log there.
  const double sum = 1 + x;
  if (!(0 < sum && sum < kInfinity)) return log(sum);
  return log(sum) + (x - (sum - 1)) / sum;
}

double pow(double x, double y) {
  if (y == nearest(y) && std::abs(y) < 0x1p31) {
    double out = 1, power = x;
    for (auto n = static_cast<uint64_t>(std::abs(y)); n > 0; n >>= 1, power *= power)
      if (n & 1) out *= power;
    return y < 0 ? 1 / out : out;
  }
  if (x == 0) return y < 0 ? kInfinity : 0;
  return exp(y * log(x));
}

namespace {

// cos(x - quarters pi/2)
double cosine(double x, int64_t quarters) {
  // x = n pi/2 + r with |r| <= pi/4; pi/2 in three parts, of which products with n are exact.
  const double n = nearest(x * 0.6366197723675814);
  const double r = ((x - n * 0x1.921fb544p0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69, z = r * r;
  constexpr double kCosine[] = {1.0,
                                -1.0 / 2,
                                1.0 / 24,
                                -1.0 / 720,
                                1.0 / 40320,
                                -1.0 / 3628800,
                                1.0 / 479001600,
                                -1.0 / 87178291200,
                                1.0 / 20922789888000.0};
  constexpr double kSine[] = {1.0,
                              -1.0 / 6,
                              1.0 / 120,
                              -1.0 / 5040,
                              1.0 / 362880,
                              -1.0 / 39916800,
                              1.0 / 6227020800,
                              -1.0 / 1307674368000.0,
                              1.0 / 355687428096000.0};
  switch ((static_cast<int64_t>(n) - quarters) & 3) {
    case 0:
      return polynomial(kCosine, z);
    case 1:
      return -r * polynomial(kSine, z);
    case 2:
      return -polynomial(kCosine, z);
    default:
      return r * polynomial(kSine, z);
  }
}

}  // namespace

double cos(double x) { return cosine(x, 0); }

double sin(double x) { return cosine(x, 1); }

double softmax(std::span<double> x) {
  const double top = *std::ranges::max_element(x);
  double sum = 0;
  for (double& v : x) sum += v = exp(v - top);
  for (double& v : x) v /= sum;
  return top + log(sum);
}

double log_sum_exp(std::span<const float> x) {
  const double top = *std::ranges::max_element(x);
  double sum = 0;
  for (const float v : x) sum += exp(static_cast<double>(v) - top);
  return top + log(sum);
}

void log_softmax(std::span<float> x) {
  const double total = log_sum_exp(x);
  for (float& v : x) v = static_cast<float>(static_cast<double>(v) - total);
}

}  // namespace lookback::elementary
