#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels {

template <class R>
const Table<R>& ref() {
#define LOOKBACK_FILL(kernel, Args) .kernel = &ref_impl::kernel<R>,
  static constexpr Table<R> kTable = {.name = "ref", LOOKBACK_KERNELS(LOOKBACK_FILL)};
#undef LOOKBACK_FILL
  return kTable;
}

template const Table<float>& ref<float>();
template const Table<double>& ref<double>();

}  // namespace lookback::kernels
