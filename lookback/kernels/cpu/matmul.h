// Matrix products in f32, bf16 and int8. Every row of the result depends on its own inputs alone, and nothing on
// threads.
#pragma once

#include "lookback/kernels/cpu/cpu.h"

namespace lookback::kernels::cpu_impl {

std::unique_ptr<Packed> pack(const Matmul<float>&, std::unique_ptr<Packed> old);
// f32 and int8 everywhere, bf16 where the processor has AVX512-BF16 or tiles (AMX), or tiles are emulated.
bool has_products(Precision precision);
// Whether that is faster than f32.
bool has_fast_products(Precision precision);

}  // namespace lookback::kernels::cpu_impl
