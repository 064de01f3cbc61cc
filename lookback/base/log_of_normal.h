// The natural logarithm of elementary.h as loops over arrays take it.
#pragma once

#include <bit>
#include <cstdint>

namespace lookback::elementary {

// log 2 = kLog2High + kLog2Low; the first has few enough bits for its product with an exponent to be exact.
constexpr double kLog2High = 0x1.62e42fefap-1, kLog2Low = 0x1.cf79abc9e3b39p-40;

// log(2^n x) for a normal x > 0 and a whole n, with the bits of log. Compilers turn it into SIMD code: no branch, no
// call, no table.
inline double log_of_normal(double x, double n = 0) {
  // x = 2^e m with m in [sqrt(1/2), sqrt(2)]; e + 1023, which is not negative, becomes the last bits of 2^52 + 1023 +
  // e.
  constexpr uint64_t kRootOfHalf = 0x3FE6A09E667F3BCD, kBias = uint64_t{1023} << 52;
  const uint64_t bits = std::bit_cast<uint64_t>(x) - kRootOfHalf;
  n += std::bit_cast<double>((bits + kBias) >> 52 | 0x4330000000000000) - (0x1p52 + 1023);
  const double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFF) + kRootOfHalf);
  // With f = m - 1 and s = f / (2 + f): log m = 2 atanh s = f - f^2/2 + s (f^2/2 + 2 s^2/3 + 2 s^4/5 + ...).
  const double f = m - 1, s = f / (2 + f), z = s * s, half = f * f / 2;
  double series = 2.0 / 21;
  series = series * z + 2.0 / 19;
  series = series * z + 2.0 / 17;
  series = series * z + 2.0 / 15;
  series = series * z + 2.0 / 13;
  series = series * z + 2.0 / 11;
  series = series * z + 2.0 / 9;
  series = series * z + 2.0 / 7;
  series = series * z + 2.0 / 5;
  series = series * z + 2.0 / 3;
  const double rest = s * (half + z * series);
  return n * kLog2High + (f - (half - (rest + n * kLog2Low)));
}

}  // namespace lookback::elementary
