// Matrix products: our own in f32 and int8, oneDNN's in bf16, cut so that every row of the result depends on its own
// inputs alone. Tiles (AMX) are not used.
#pragma once

#include "lookback/kernels/cpu/cpu.h"

namespace lookback::kernels::cpu_impl {

std::unique_ptr<Packed> pack(const Matmul<float>&, std::unique_ptr<Packed> old);
// f32 and int8 everywhere, bf16 where the processor has AVX512-BF16.
bool has_products(Precision precision);
// Whether that is faster than f32.
bool has_fast_products(Precision precision);

}  // namespace lookback::kernels::cpu_impl
