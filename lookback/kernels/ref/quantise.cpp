#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels::ref_impl {

template <class R>
void quantise_rows(const QuantiseRows<R>& a) {
  for (int64_t n = 0; n < a.N; ++n) {
    const R* x = a.x + n * a.C;
    float largest = 0;
    bool finite = true;
    for (int64_t k = 0; k < a.C; ++k) {
      const float v = static_cast<float>(x[k]);
      finite = finite && std::isfinite(v);
      largest = std::max(largest, std::abs(v));
    }
    const float scale = int8_scale(largest);
    a.scales[n] = finite ? scale : std::numeric_limits<float>::quiet_NaN();
    for (int64_t k = 0; k < a.C; ++k) {
      const bool something = finite && scale > 0;
      a.q[n * a.C + k] =
          something ? static_cast<int8_t>(std::nearbyint(static_cast<float>(x[k]) * (1 / scale))) : int8_t{0};
    }
  }
}

}  // namespace lookback::kernels::ref_impl
LOOKBACK_REF_INSTANCES(quantise_rows, QuantiseRows)
