// The fast kernels: Highway for SIMD, instructions for products of bf16 and int8, the pool of base for threads. On f32;
// products may round their factors. Results do not depend on the number of threads, a row's result does not depend on
// the other rows, and in f32 both are the same bits on every rung that has fused multiply-add.
#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels {

// They run on the rung in use. What has no fast kernel is null.
const Table<float>& cpu();

namespace cpu_impl {

#define LOOKBACK_DECLARE(kernel, Args) void kernel(const Args<float>&);
LOOKBACK_FAST_KERNELS(LOOKBACK_DECLARE)
#undef LOOKBACK_DECLARE

}  // namespace cpu_impl
}  // namespace lookback::kernels
