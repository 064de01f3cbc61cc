// The fast kernels: Highway for SIMD, oneDNN for products that have instructions of their own
// (bf16), the pool of base for threads. On f32; products may round their factors. Results do
// not depend on the number of threads, and a row's result does not depend on the other rows.
#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels {

// What this machine has; the gaps are null.
const Table<float>& cpu();

// To be called before the first of them. Highway chooses the instruction set in the first call of a kernel
// otherwise, and a loop that has fetched the function before goes on choosing in every round.
void choose_instruction_set();

}  // namespace lookback::kernels
