#include "lookback/kernels/cpu/cpu.h"
#include "lookback/kernels/cpu/matmul.h"
#include "lookback/kernels/cpu/top_k.h"

namespace lookback::kernels {

const Table<float>& cpu() {
#define LOOKBACK_FILL(kernel, Args) .kernel = &cpu_impl::kernel,
  static constexpr Table<float> kTable = {.name = "cpu",
                                          .pack = &cpu_impl::pack,
                                          .sketch = &cpu_impl::sketch,
                                          .top_k = &cpu_impl::top_k,
                                          LOOKBACK_FAST_KERNELS(LOOKBACK_FILL)};
#undef LOOKBACK_FILL
  return kTable;
}

}  // namespace lookback::kernels
