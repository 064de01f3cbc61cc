// The fast kernels: oneDNN for the products (our own where its bits would depend on
// rows or threads), Highway for the rest, OpenMP for threads. f32 only. Results do not
// depend on the number of threads, and a row's result does not depend on the other rows.
#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels {

// What this machine has; the gaps are null.
const Table<float>& cpu();

// Whether the processor multiplies such factors by itself: bf16 with AVX512-BF16 or AMX, int8 with AVX512-VNNI.
bool cpu_has_products(Precision precision);

}  // namespace lookback::kernels
