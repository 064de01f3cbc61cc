#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/bf16.cpp"
#include "lookback/kernels/cpu/targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

// bf16 is the upper half of f32: half of the lower one is added, less one if the upper is even.
HWY_INLINE hn::Vec<hn::Rebind<uint16_t, D>> round_to_bf16(V x) {
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, x), upper = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(upper, hn::Set(du, 1));
  const auto nearest = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF))));
  const auto quiet = hn::Or(upper, hn::Set(du, 0x40));
  const auto out = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(x)), quiet, nearest);
  return hn::DemoteTo(hn::Rebind<uint16_t, D>(), hn::BitCast(hn::RebindToSigned<D>(), out));
}

void RowToBf16(const float* HWY_RESTRICT x, int64_t n, uint16_t* HWY_RESTRICT y) {
  const hn::Rebind<uint16_t, D> narrow;
  int64_t k = 0;
  for (; k + lanes() <= n; k += lanes()) hn::StoreU(round_to_bf16(hn::LoadU(D(), x + k)), narrow, y + k);
  if (k == n) return;
  HWY_ALIGN uint16_t tail[HWY_MAX_BYTES / sizeof(uint16_t)];
  hn::StoreU(round_to_bf16(load(x + k, n - k)), narrow, tail);
  std::copy_n(tail, n - k, y + k);
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/bf16.h"

namespace lookback::kernels {
HWY_EXPORT(RowToBf16);

namespace cpu_impl {

constexpr int64_t kGrain = 16384;  // elements that are worth a thread's turn

const uint16_t* to_bf16(const FloatMatrix& x, int64_t rows_made, std::vector<uint16_t>& buffer) {
  const auto size = static_cast<size_t>(rows_made * x.cols);
  if (buffer.size() < size) buffer.resize(size);
  uint16_t* out = buffer.data();
  const auto run = &HWY_DYNAMIC_DISPATCH(RowToBf16);
  if (x.ld == x.cols) {  // one long row
    parallel_for(x.rows * x.cols, kGrain,
                 [&](int64_t begin, int64_t end) { run(x.data + begin, end - begin, out + begin); });
  } else {
    parallel_for(x.rows, kGrain / x.cols, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) run(x.data + row * x.ld, x.cols, out + row * x.cols);
    });
  }
  std::fill(out + x.rows * x.cols, out + size, uint16_t{0});
  return out;
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE
