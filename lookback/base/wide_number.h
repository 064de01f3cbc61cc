// Numbers >= 0 of any size, for probabilities of long sequences: products and sums without logarithms. No branch and no
// call, so that loops over arrays of mantissas and exponents become SIMD code; the same bits on every processor.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "lookback/base/elementary.h"

namespace lookback {

// mantissa 2^exponent with an integer exponent. Zero is kWideZero and all that is below kWideLeast: so small that it
// vanishes beside any other number.
struct WideNumber {
  double mantissa = 1, exponent = 0;
};
constexpr WideNumber kWideZero = {1, -1e15};
constexpr double kWideLeast = -1e14;  // exponents below are those of zero

inline bool is_zero(const WideNumber& x) { return x.exponent < kWideLeast; }

namespace wide {

inline double larger(double a, double b) { return a > b ? a : b; }

// 2^n for an integer n <= 1023; 0 below -1022.
inline double power_of_two(double n) {
  constexpr double kRound = 0x1p52;  // adding it leaves an integer in the low bits
  return std::bit_cast<double>(std::bit_cast<uint64_t>(larger(n, -1023) + (1023 + kRound)) << 52);
}

// The same number with a mantissa in [1, 2); that of `x` is a normal double > 0.
inline WideNumber normalised(double mantissa, double exponent) {
  const auto bits = std::bit_cast<uint64_t>(mantissa);
  const double shift = std::bit_cast<double>((bits >> 52) | 0x4330000000000000) - (0x1p52 + 1023);
  return {std::bit_cast<double>((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000), exponent + shift};
}

inline WideNumber times(const WideNumber& a, const WideNumber& b) {
  return {a.mantissa * b.mantissa, a.exponent + b.exponent};
}

inline WideNumber plus(const WideNumber& a, const WideNumber& b) {
  const double most = larger(a.exponent, b.exponent);
  return {a.mantissa * power_of_two(a.exponent - most) + b.mantissa * power_of_two(b.exponent - most), most};
}

inline WideNumber plus(const WideNumber& a, const WideNumber& b, const WideNumber& c) {
  const double most = larger(larger(a.exponent, b.exponent), c.exponent);
  return {a.mantissa * power_of_two(a.exponent - most) + b.mantissa * power_of_two(b.exponent - most) +
              c.mantissa * power_of_two(c.exponent - most),
          most};
}

inline WideNumber normalised(const WideNumber& x) { return normalised(x.mantissa, x.exponent); }

// e^x for x <= 709, within 1 unit in the last place where |x| < 40000, then within that of x; zero for -infinity. The
// mantissa is in (0.7, 1.42). NaN gives NaN.
inline WideNumber exp(double x) {
  constexpr double kLeast = -1e15, kRound = 0x1.8p52;
  constexpr double kLog2High = 0x1.62e42fefap-1, kLog2Low = 0x1.cf79abc9e3b39p-40;  // their sum is log 2
  x = x < kLeast ? kLeast : x;
  const double n = (x * 1.4426950408889634 + kRound) - kRound;
  const double r = (x - n * kLog2High) - n * kLog2Low;
  // 1 + r + r^2 / 2 + ... by Taylor to r^13.
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 1.0 / 2;
  return {1 + (r + r * r * p), n};
}

// As a double; 0 below its range.
inline double value(const WideNumber& x) { return x.mantissa * power_of_two(x.exponent); }

// Natural logarithm; -infinity of zero.
inline double log(const WideNumber& x) {
  if (is_zero(x)) return -std::numeric_limits<double>::infinity();
  return x.exponent * 0.6931471805599453 + elementary::log(x.mantissa);
}

}  // namespace wide
}  // namespace lookback
