// Matrix products by oneDNN, with one primitive kept per shape.
#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

std::shared_ptr<const Packed> pack(const Matmul<float>&);
void matmul(const Matmul<float>&);
// Whether the processor multiplies such factors by itself: bf16 with AVX512-BF16 or AMX, int8 with AVX512-VNNI.
bool has_products(Precision precision);
// Whether that is faster than f32.
bool has_fast_products(Precision precision);

}  // namespace lookback::kernels::cpu_impl
