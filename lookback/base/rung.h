// The ladder of instruction sets. Whatever exists once for each of several instruction sets is chosen by the rung in
// use; how such code is written says base/rung_targets.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace lookback {

// Each has what those before it have.
enum class Rung : uint8_t {
  baseline,     // what the compiler builds for: x86-64 with SSE2, or AArch64 with NEON
  avx2,         // with FMA, BMI and F16C
  avx512,       // F, BW, CD, DQ and VL
  avx512_vnni,  // sums of products of int8
  avx512_bf16,  // sums of products of bf16
  amx,          // tiles of int8 and bf16
};

// What multiplies by tiles of 16 rows of 64 bytes, the registers of AMX.
enum class Tiles : uint8_t {
  none,
  amx,       // the processor, on the rung of that name
  emulated,  // a plain loop that gives the bits of AMX: for tests, on any processor
};

std::string_view name_of(Rung rung);

// Those that this processor and its operating system have, lowest first.
const std::vector<Rung>& rungs();

// The highest rung in use: what use_rung() said, else what the environment variable LOOKBACK_CPU names, else the
// highest there is. ConfigError if LOOKBACK_CPU names none of rungs().
Rung rung();
Tiles tiles();

// From here on rung() is the one of this name, in all threads. To be called before anything is computed: weights that
// were packed on one rung are not understood on another. "amx_emulated" is the highest rung, with tiles that are
// emulated. ConfigError if it is neither that nor one of rungs(), which begins with `where`.
void use_rung(std::string_view name, std::string_view where);

// The name that use_rung() takes for what is in use.
std::string_view name_in_use();

// Whether the processor adds to products without rounding them first. Where it does, results in f32 are the same bits
// on every rung and every processor.
bool has_fused_multiply_add(Rung rung);

}  // namespace lookback
