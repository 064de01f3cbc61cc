// Loops that the compiler turns into SIMD by itself, outside the kernels.
#pragma once

// Before a function: it is compiled once for each generation of x86-64, and the program takes the best that the
// processor has. The bits are the same, since products and sums are never contracted (-ffp-contract=off).
// Not under the thread sanitizer: what chooses runs before the program is linked, and GCC makes it call the sanitizer.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define LOOKBACK_SIMD_CLONES [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define LOOKBACK_SIMD_CLONES
#endif
