// Instruction sets the SIMD files are compiled for: AVX-512, AVX2 and the baseline of x86-64; NEON, which every aarch64
// has. Fewer targets, faster builds. Included before Highway, once per file.
#undef HWY_DISABLED_TARGETS
#if defined(__x86_64__)
// Highway numbers better targets lower: what is newer than plain AVX-512, whatever its name, is left out.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | (HWY_AVX3 - 1))
#elif defined(__aarch64__)
// Without SVE, whose vectors have no size that is known here and make no arrays.
#define HWY_DISABLED_TARGETS (HWY_NEON - 1)
#else
#define HWY_DISABLED_TARGETS 0
#endif

#include "lookback/kernels/cpu/row_grads.h"
