// Tiles: registers of up to 16 rows of 64 bytes (Intel AMX), and what is done with them. Twice: by the processor, and
// by plain loops that give the same bits on any other one, so that what is built on tiles is tested everywhere.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "lookback/kernels/cpu/narrow_product.h"

namespace lookback::kernels::cpu_impl {

// Sums of products stand in tiles 0 to 3, rows of the left factor in 4 and perhaps 5, the right factor in the others.
// The sums of tiles 0 and 1 have `low` rows, as tile 4; those of 2 and 3 have `high` rows, as tile 5. Without high rows
// all sums have `low`, and tile 5 is the right factor's, which has 16 always.
struct TileShape {
  int64_t low = 0, high = 0;
  int64_t rows(int tile) const {
    const bool all = high == 0;
    if (tile < 4) return all || tile < 2 ? low : high;
    return tile == 4 ? low : tile == 5 && !all ? high : kStep;
  }
  bool operator==(const TileShape&) const = default;
};

#if defined(__x86_64__)

// Written as assembly, so that tile numbers are template parameters and no compiler flag is needed.
struct AmxTiles {
  // What a thread last asked for; none before its first tile and after release().
  static TileShape& shape() {
    thread_local TileShape instance;
    return instance;
  }

  static void configure(const TileShape& wanted) {
    if (shape() == wanted) return;
    shape() = wanted;
    struct alignas(64) {  // palette 1 of the processor's manual
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    for (int tile = 0; tile < 8; ++tile)
      config.row_bytes[tile] = 64, config.rows[tile] = static_cast<uint8_t>(wanted.rows(tile));
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  static void release() {
    shape() = {};
    asm volatile("tilerelease");
  }

  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  // stride: bytes from row to row
  template <int kTile>
  static void load(const uint32_t* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // sum += a b, of pairs of bf16 or of four int8 in a word
  template <Precision kPrecision, int kSum, int kA, int kB>
  static void dot() {
    if constexpr (kPrecision == Precision::bf16)
      asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
    else
      asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
  }
};

#endif

struct EmulatedTiles {
  using Tile = uint32_t[kStep][kStep];
  struct State {
    TileShape shape;
    alignas(64) Tile tiles[8];
  };
  static State& state() {
    thread_local State instance;
    return instance;
  }

  static void configure(const TileShape& wanted) { state().shape = wanted; }
  static void release() { state() = {}; }

  template <int kTile>
  static void zero() {
    std::memset(state().tiles[kTile], 0, sizeof(Tile));
  }
  template <int kTile>
  static void load(const uint32_t* from, int64_t stride) {
    for (int64_t r = 0; r < state().shape.rows(kTile); ++r)
      std::memcpy(state().tiles[kTile][r], reinterpret_cast<const char*>(from) + r * stride, sizeof(uint32_t) * kStep);
  }
  template <int kTile>
  static void store(void* to, int64_t stride) {
    for (int64_t r = 0; r < state().shape.rows(kTile); ++r)
      std::memcpy(static_cast<char*>(to) + r * stride, state().tiles[kTile][r], sizeof(uint32_t) * kStep);
  }
  template <Precision kPrecision, int kSum, int kA, int kB>
  static void dot() {
    Tile& sum = state().tiles[kSum];
    const Tile &a = state().tiles[kA], &b = state().tiles[kB];
    for (int64_t r = 0; r < state().shape.rows(kSum); ++r)
      kPrecision == Precision::bf16 ? add_bf16(a[r], b, sum[r]) : add_int8(a[r], b, sum[r]);
  }

  // Subnormal numbers are read and written as zero.
  static float flushed(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    return std::bit_cast<float>(bits & 0x7F800000u ? bits : bits & 0x80000000u);
  }
  static float lower(uint32_t word) { return flushed(std::bit_cast<float>(word << 16)); }
  static float upper(uint32_t word) { return flushed(std::bit_cast<float>(word & 0xFFFF0000u)); }

  // sum + a b, rounded once. The product of two bf16 has 16 bits: in double it is exact, and so is the sum wherever it
  // is near a tie of floats.
  static float multiply_add(float a, float b, float sum) {
    return flushed(static_cast<float>(static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(sum)));
  }

  // TDPBF16PS: of the 16 pairs of a row and a column, two chains of multiply-adds, one of the lower and one of the
  // upper halves; what they come to is added together, then to the sum.
  static void add_bf16(const uint32_t (&a)[kStep], const Tile& b, uint32_t (&sum)[kStep]) {
    float even[kStep] = {}, odd[kStep] = {};
    for (int64_t k = 0; k < kStep; ++k) {
      const float a_even = lower(a[k]), a_odd = upper(a[k]);
      for (int64_t c = 0; c < kStep; ++c) {
        even[c] = multiply_add(a_even, lower(b[k][c]), even[c]);
        odd[c] = multiply_add(a_odd, upper(b[k][c]), odd[c]);
      }
    }
    for (int64_t c = 0; c < kStep; ++c)
      sum[c] = std::bit_cast<uint32_t>(flushed(flushed(std::bit_cast<float>(sum[c])) + flushed(even[c] + odd[c])));
  }

  // TDPBSSD: whole numbers, which wrap around.
  static void add_int8(const uint32_t (&a)[kStep], const Tile& b, uint32_t (&sum)[kStep]) {
    const auto quarter = [](uint32_t word, int q) { return static_cast<int32_t>(word << (24 - 8 * q)) >> 24; };
    for (int64_t k = 0; k < kStep; ++k)
      for (int q = 0; q < 4; ++q) {
        const int32_t x = quarter(a[k], q);
        for (int64_t c = 0; c < kStep; ++c) sum[c] += static_cast<uint32_t>(x * quarter(b[k][c], q));
      }
  }
};

}  // namespace lookback::kernels::cpu_impl
