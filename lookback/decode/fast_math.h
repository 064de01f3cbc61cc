// Private to decode: exp and log that compilers turn into SIMD code: no branch, no call, no table.
// The same bits on every instruction set, as long as products and sums are not contracted (-ffp-contract=off).
#pragma once

#include <bit>
#include <cstdint>

namespace lookback::decode {

// e^x for x <= 0 is exp_clamped(clamp(x)). Relative error below 1.5e-7; exactly 1
// at 0; 0 below -87.7, where float runs out of normal numbers; NaN gives NaN.
// Loops must run the two one after the other over an array: in one loop, GCC
// computes e^-88 beforehand and branches to it.
inline float clamp(float x) { return x < -88.0f ? -88.0f : x; }

// Cephes' polynomial after the reduction x = n log 2 + r, |r| <= log(2) / 2. At
// -88 n is -127, and the number with that exponent field is 0.
inline float exp_clamped(float x) {
  constexpr float kRound = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float mantissa = (p * (r * r) + r) + 1.0f;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  return mantissa * std::bit_cast<float>(exponent);
}

// log y for normal y >= 1. Absolute error below 1.5e-7 * max(1, log y); exactly 0 at 1.
// log y = n log 2 + 2 atanh((m - 1) / (m + 1)) with m in [sqrt(1/2), sqrt(2)].
inline float log_from_one(float y) {
  const uint32_t bits = std::bit_cast<uint32_t>(y) - 0x3F3504F3u;  // 0x3F3504F3 is sqrt(1/2)
  const float n = static_cast<float>(static_cast<int32_t>(bits >> 23));
  const float m = std::bit_cast<float>((bits & 0x7FFFFFu) + 0x3F3504F3u);
  const float s = (m - 1.0f) / (m + 1.0f), z = s * s;
  float p = 2.0f / 9.0f;
  p = p * z + 2.0f / 7.0f;
  p = p * z + 2.0f / 5.0f;
  p = p * z + 2.0f / 3.0f;
  return n * 0.693147182f + (s * 2.0f + s * z * p);
}

}  // namespace lookback::decode
