#include "lookback/kernels/cpu/cpu.h"
#include "lookback/kernels/cpu/matmul.h"

namespace lookback::kernels {

// The fast kernels of this machine, with the reference where there is none.
template <>
const Table<float>& best<float>() {
  static const Table<float> table = [] {
    Table<float> out = cpu();
#define LOOKBACK_FILL(kernel, Args) out.kernel = ref<float>().kernel;
    LOOKBACK_PLAIN_KERNELS(LOOKBACK_FILL)
#undef LOOKBACK_FILL
    return out;
  }();
  return table;
}

bool has_products(Precision precision) { return cpu_impl::has_products(precision); }

bool has_fast_products(Precision precision) { return cpu_impl::has_fast_products(precision); }

// Double is for checking: it runs on the reference.
template <>
const Table<double>& best<double>() {
  return ref<double>();
}

}  // namespace lookback::kernels
