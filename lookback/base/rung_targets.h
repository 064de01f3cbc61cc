// How a file of loops is compiled once for each width of vectors, and how its functions are called. At its top:
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "lookback/LAYER/FILE.cpp"
//   #include "lookback/base/rung_targets.h"
//   #include "hwy/foreach_target.h"
//   #include "hwy/highway.h"
//
// Then functions between HWY_BEFORE_NAMESPACE() and HWY_AFTER_NAMESPACE(), in LAYER::HWY_NAMESPACE; and under
// `#if HWY_ONCE`, HWY_EXPORT(Function) and what calls LOOKBACK_BEST(Function).
//
// Rungs above avx512 bring instructions for products alone: these have functions of their own, called where rung() says
// so.
#include "lookback/base/rung.h"

#undef HWY_DISABLED_TARGETS
#if defined(__x86_64__)
// AVX-512, AVX2, and the baseline of x86-64. Highway numbers better targets lower: what is newer than plain AVX-512,
// whatever its name, is left out.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | (HWY_AVX3 - 1))
#elif defined(__aarch64__)
// Without SVE, whose vectors have no size that is known here and make no arrays.
#define HWY_DISABLED_TARGETS (HWY_NEON - 1)
#else
#define HWY_DISABLED_TARGETS 0
#endif

// The Function of the rung in use, to be called or taken the address of. Whoever names one has the rung chosen by that.
#undef LOOKBACK_BEST
#define LOOKBACK_BEST(Function) (static_cast<void>(::lookback::rung()), HWY_DYNAMIC_DISPATCH(Function))
