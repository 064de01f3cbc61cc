#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "lookback/base/error.h"

namespace lookback {

// bf16 and i8 are storage: they are converted before anything is computed with them.
enum class Dtype : uint8_t { f32, f64, i32, bf16, i8 };

// The upper half of a float, rounded to nearest even.
struct Bf16 {
  uint16_t bits = 0;

  Bf16() = default;
  explicit Bf16(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x);
    bits =
        x != x ? static_cast<uint16_t>((u >> 16) | 0x40) : static_cast<uint16_t>((u + 0x7FFF + ((u >> 16) & 1)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

constexpr int64_t item_size(Dtype d) {
  constexpr int64_t kSizes[] = {4, 8, 4, 2, 1};
  return kSizes[static_cast<int>(d)];
}

constexpr const char* name_of(Dtype d) {
  constexpr const char* kNames[] = {"f32", "f64", "i32", "bf16", "i8"};
  return kNames[static_cast<int>(d)];
}

template <class R>
inline constexpr Dtype dtype_of = [] {
  static_assert(sizeof(R) == 0, "no Dtype for this type");
  return Dtype::f32;
}();
template <>
inline constexpr Dtype dtype_of<float> = Dtype::f32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::f64;
template <>
inline constexpr Dtype dtype_of<int32_t> = Dtype::i32;
template <>
inline constexpr Dtype dtype_of<Bf16> = Dtype::bf16;
template <>
inline constexpr Dtype dtype_of<int8_t> = Dtype::i8;

// Calls f.operator()<float>() or f.operator()<double>(): the one dtype switch.
template <class F>
decltype(auto) with_float(Dtype d, F&& f) {
  check(d == Dtype::f32 || d == Dtype::f64, "expected f32 or f64, got ", name_of(d));
  return d == Dtype::f64 ? f.template operator()<double>() : f.template operator()<float>();
}

}  // namespace lookback
