// Dropout, with the generator run for several counters at once: the words are
// those of Stream::words (Philox4x32-10), to the bit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/dropout.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/simd-inl.h"
#include "lookback/kernels/kernels.h"

#ifndef LOOKBACK_DROPOUT_STRETCH_
#define LOOKBACK_DROPOUT_STRETCH_
namespace lookback::kernels {

// Elements that lie one after another in the stream of masks.
struct DropoutRange {
  const float* x;
  float* y;
  int64_t size;
  uint64_t first;  // place of the first mask word
};

}  // namespace lookback::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

using D32 = hn::ScalableTag<uint32_t>;

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE int64_t words_at_once() { return 4; }

HWY_INLINE void mask_words(const Stream& stream, uint64_t group, uint32_t* out) {
  const auto words = stream.words(group);
  std::copy(words.begin(), words.end(), out);
}

#else

// One word of the state per 64-bit lane, in its lower half; what gathers in the
// upper half is never read.
using D64 = hn::ScalableTag<uint64_t>;
using V64 = hn::Vec<D64>;

HWY_INLINE V64 low_product(V64 a, V64 b) { return hn::MulEven(hn::BitCast(D32(), a), hn::BitCast(D32(), b)); }

// The words of as many groups of four as there are 64-bit lanes, from `group` on.
HWY_INLINE void mask_words(const Stream& stream, uint64_t group, uint32_t* out) {
  const D64 d;
  V64 c0 = hn::Iota(d, group), c1 = hn::ShiftRight<32>(c0);
  V64 c2 = hn::Set(d, stream.stream), c3 = hn::Set(d, stream.stream >> 32);
  const V64 m0 = hn::Set(d, 0xD2511F53u), m1 = hn::Set(d, 0xCD9E8D57u);
  uint32_t k0 = static_cast<uint32_t>(stream.seed), k1 = static_cast<uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
    const V64 p0 = low_product(c0, m0), p1 = low_product(c2, m1);
    c0 = hn::Xor(hn::ShiftRight<32>(p1), hn::Xor(c1, hn::Set(d, k0)));
    c2 = hn::Xor(hn::ShiftRight<32>(p0), hn::Xor(c3, hn::Set(d, k1)));
    c1 = p1, c3 = p0;
  }
  const V64 low = hn::Set(d, 0xFFFFFFFFu);
  const V64 w01 = hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1));
  const V64 w23 = hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3));
  HWY_ALIGN uint64_t pairs[2 * HWY_MAX_BYTES / sizeof(uint64_t)];
  hn::StoreInterleaved2(w01, w23, d, pairs);
  std::memcpy(out, pairs, 4 * hn::Lanes(d) * sizeof(uint32_t));
}

HWY_INLINE int64_t words_at_once() { return 4 * static_cast<int64_t>(hn::Lanes(D64())); }

#endif

// A word keeps its element when it is at least p * 2^32; threshold is that number.
void DropoutRun(const Dropout<float>& a, const DropoutRange& s, uint32_t threshold) {
  const D d;
  const int64_t at_once = words_at_once();
  HWY_ALIGN uint32_t words[3 * HWY_MAX_BYTES / sizeof(uint32_t) + 4] = {};
  const V scale = hn::Set(d, static_cast<float>(1 / (1 - a.p)));
  const auto least = hn::Set(D32(), threshold);
  int64_t skip = static_cast<int64_t>(s.first % 4);  // words of the first group that belong to elements before
  for (int64_t k = 0; k < s.size; skip = 0) {
    mask_words(a.stream, (s.first + static_cast<uint64_t>(k)) / 4, words);
    const int64_t end = std::min(s.size, k + at_once - skip);
    for (const uint32_t* w = words + skip; k < end; k += lanes(), w += lanes()) {
      const auto lost = hn::RebindMask(d, hn::Lt(hn::LoadU(D32(), w), least));
      V y = hn::IfThenZeroElse(lost, hn::Mul(load(s.x + k, end - k), scale));
      if (a.accumulate) y = hn::Add(load(s.y + k, end - k), y);
      store(y, s.y + k, end - k);
    }
    k = end;
  }
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/cpu.h"

namespace lookback::kernels {
HWY_EXPORT(DropoutRun);

namespace cpu_impl {

void dropout(const Dropout<float>& a) {
  constexpr int64_t kBlock = 4096;  // elements a thread takes at a time
  const double words = a.p * 0x1p32;
  // A threshold past the largest word drops everything, whatever the words.
  if (words >= 0x1p32) {
    if (!a.accumulate) std::fill_n(a.y, a.N * a.C, 0.0f);
    return;
  }
  const auto run = &LOOKBACK_BEST(DropoutRun);
  const uint32_t threshold = static_cast<uint32_t>(words);
  if (!a.row_of) {
    parallel_for(a.N * a.C, kBlock, [&](int64_t begin, int64_t end) {
      run(a, {a.x + begin, a.y + begin, end - begin, static_cast<uint64_t>(begin)}, threshold);
    });
    return;
  }
  parallel_for(a.N, std::max<int64_t>(1, kBlock / std::max<int64_t>(1, a.C)), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      run(a, {a.x + n * a.C, a.y + n * a.C, a.C, static_cast<uint64_t>(a.row_of[n] * a.C)}, threshold);
  });
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE
