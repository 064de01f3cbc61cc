#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/int8.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

using cpu_impl::Int8Sums;

// Returns the row's scale.
float RowToInt8(const float* HWY_RESTRICT x, int64_t n, int8_t* HWY_RESTRICT q) {
  const D d;
  V most = hn::Zero(d), odd = hn::Zero(d);  // odd: x - x, which is no number where x is not finite
  for (int64_t k = 0; k < n; k += lanes()) {
    const V v = load(x + k, n - k);
    most = hn::Max(most, hn::Abs(v));
    odd = hn::Add(odd, hn::Sub(v, v));
  }
  const float largest = hn::GetLane(hn::MaxOfLanes(d, most)), finite = hn::GetLane(hn::SumOfLanes(d, odd));
  const float scale = finite == 0 ? int8_scale(largest) : std::numeric_limits<float>::quiet_NaN();
  if (!(scale > 0)) {
    std::fill_n(q, n, int8_t{0});
    return scale;
  }
  const V inverse = hn::Set(d, 1 / scale);
  const hn::Rebind<int8_t, D> narrow;
  int64_t k = 0;
  for (; k + lanes() <= n; k += lanes())
    hn::StoreU(hn::DemoteTo(narrow, hn::NearestInt(hn::Mul(hn::LoadU(d, x + k), inverse))), narrow, q + k);
  if (k < n) {
    HWY_ALIGN int8_t tail[HWY_MAX_BYTES];
    hn::StoreU(hn::DemoteTo(narrow, hn::NearestInt(hn::Mul(load(x + k, n - k), inverse))), narrow, tail);
    std::copy_n(tail, n - k, q + k);
  }
  return scale;
}

void RowFromInt8(const Int8Sums& a, int64_t m, float* c, bool accumulate) {
  const D d;
  const hn::RebindToSigned<D> di;
  const int32_t* const sums = a.sums + m * a.ld;
  const V scale = hn::Set(d, a.a_scales[m]);
  const auto scaled = [&](int64_t k, int64_t left) HWY_ATTR {
    auto sum = hn::Zero(di);
    if (left >= lanes()) {
      sum = hn::LoadU(di, sums + k);
    } else {
      HWY_ALIGN int32_t tail[HWY_MAX_BYTES / sizeof(int32_t)] = {};
      std::copy_n(sums + k, left, tail);
      sum = hn::Load(di, tail);
    }
    return hn::Mul(hn::ConvertTo(d, sum), hn::Mul(scale, load(a.b_scales + k, left)));
  };
  finish_sums(scaled, a.n, a.bias, c, accumulate);
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/parallel.h"

namespace lookback::kernels {
HWY_EXPORT(RowToInt8);
HWY_EXPORT(RowFromInt8);

namespace cpu_impl {
void to_int8(const FloatMatrix& x, int8_t* q, float* scales) {
  constexpr int64_t kElements = 16384;  // that are worth a thread's turn
  const auto run = &LOOKBACK_BEST(RowToInt8);
  parallel_for(x.rows, kElements / std::max<int64_t>(1, x.cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) scales[row] = run(x.data + row * x.ld, x.cols, q + row * x.cols);
  });
}

void quantise_rows(const QuantiseRows<float>& a) {
  to_int8({.data = a.x, .rows = a.N, .cols = a.C, .ld = a.C}, a.q, a.scales);
}

void from_int8(const Int8Sums& sums, float* c, int64_t ldc, bool accumulate) {
  const auto run = &LOOKBACK_BEST(RowFromInt8);
  for (int64_t row = 0; row < sums.m; ++row) run(sums, row, c + row * ldc, accumulate);
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE
