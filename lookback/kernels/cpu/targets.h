// Instruction sets the SIMD files are compiled for: AVX-512, AVX2, and the
// baseline of x86-64. Fewer targets, faster builds. Included before Highway, once per file.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)

#include "lookback/kernels/cpu/row_grads.h"
