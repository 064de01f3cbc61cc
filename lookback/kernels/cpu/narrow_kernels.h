// What each instruction set multiplies narrow factors with: one tile of the result at a time.
#pragma once

#include "lookback/kernels/cpu/narrow_product.h"

namespace lookback::kernels::cpu_impl {

constexpr int64_t kMostTileRows = 32;

// sums[rows, kBlock] of rows of the left factor and one block of the right one. Meanwhile `lines` cache lines from
// `next` on are fetched to L2.
struct NarrowTile {
  const uint32_t* a;  // the first row's first step
  int64_t row, step;  // words from row to row of it, and from step to step
  int64_t words;      // of a row; the rest of its last step is zero
  const uint32_t* b;  // [words, kBlock]
  const int32_t* compensation;
  void* sums;  // [rows, kBlock] of float, of int8 int32_t; a whole number of cache lines
  const uint32_t* next;
  int64_t lines;
};

struct NarrowKernel {
  int64_t rows;      // of a tile, at most
  int64_t group;     // of the order of the left factor: 1, or `rows`
  uint32_t flipped;  // what the words of the left factor are changed by first
  void (*run)(int64_t rows, const NarrowTile& tile);
  void (*done)() = nullptr;  // after the last tile of a thread's turn
};

// That of the rung in use. There is one for each: a plain loop where the processor has no instruction.
const NarrowKernel& narrow_kernel(Precision p);

// By tiles that are not none.
const NarrowKernel& tile_kernel(Precision p, bool emulated);

}  // namespace lookback::kernels::cpu_impl
