// The reference kernels: the obvious loops, in float and double. They are the
// documentation of every kernel and the oracle its fast versions are tested against.
#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::ref_impl {

#define LOOKBACK_DECLARE(kernel, Args) \
  template <class R>                   \
  void kernel(const Args<R>&);
LOOKBACK_KERNELS(LOOKBACK_DECLARE)
#undef LOOKBACK_DECLARE

}  // namespace lookback::kernels::ref_impl

// Both instances of a reference kernel, at the end of its file.
#define LOOKBACK_REF_INSTANCES(kernel, Args)                             \
  template void lookback::kernels::ref_impl::kernel(const Args<float>&); \
  template void lookback::kernels::ref_impl::kernel(const Args<double>&);
