// The kernel of tiles: 2 x 2 tiles of sums where there are more than 16 rows, else 1 x 4, so that each tile that is
// loaded meets two of the other factor, or the right one passes by once.
#include "lookback/kernels/cpu/narrow_kernels.h"
#include "lookback/kernels/cpu/tiles.h"

namespace lookback::kernels::cpu_impl {
namespace {

constexpr int64_t kBytes = 4;                     // of a word
constexpr int64_t kStepBytes = kStep * kBytes;    // from row to row of the left factor, which lies in tiles
constexpr int64_t kBlockBytes = kBlock * kBytes;  // of the right factor and of the sums
constexpr int64_t kSide = kStep;                  // rows and columns of a tile of sums

// Lines that are fetched while a product goes on, some at every step, but no more than a tile has.
class Fetch {
 public:
  Fetch(const NarrowTile& t, int64_t steps)
      : next_(t.next), lines_(t.lines), at_once_(std::min(kStep, ceil_div(t.lines, steps))) {}
  void some() {
    for (int64_t k = std::min(at_once_, lines_); k > 0; --k, --lines_, next_ += kStep) __builtin_prefetch(next_, 0, 2);
  }

 private:
  const uint32_t* next_;
  int64_t lines_, at_once_;
};

// sums[low, kBlock]
template <class T, Precision kPrecision>
void low_rows(const NarrowTile& t, int64_t steps) {
  Fetch fetch(t, steps);
  T::template zero<0>(), T::template zero<1>(), T::template zero<2>(), T::template zero<3>();
  const uint32_t *a = t.a, *b = t.b;
  for (int64_t s = 0; s < steps; ++s, a += t.step, b += kStep * kBlock) {
    fetch.some();
    T::template load<4>(a, kStepBytes);
    T::template load<5>(b, kBlockBytes);
    T::template dot<kPrecision, 0, 4, 5>();
    T::template load<6>(b + kSide, kBlockBytes);
    T::template dot<kPrecision, 1, 4, 6>();
    T::template load<7>(b + 2 * kSide, kBlockBytes);
    T::template dot<kPrecision, 2, 4, 7>();
    T::template load<5>(b + 3 * kSide, kBlockBytes);
    T::template dot<kPrecision, 3, 4, 5>();
  }
  auto* const sums = static_cast<uint32_t*>(t.sums);
  T::template store<0>(sums, kBlockBytes);
  T::template store<1>(sums + kSide, kBlockBytes);
  T::template store<2>(sums + 2 * kSide, kBlockBytes);
  T::template store<3>(sums + 3 * kSide, kBlockBytes);
}

// sums[low and high, kBlock], half of the columns at a time
template <class T, Precision kPrecision>
void low_and_high_rows(const NarrowTile& t, int64_t steps) {
  Fetch fetch(t, 2 * steps);
  for (int64_t column = 0; column < kBlock; column += 2 * kSide) {
    T::template zero<0>(), T::template zero<1>(), T::template zero<2>(), T::template zero<3>();
    const uint32_t *a = t.a, *b = t.b + column;
    for (int64_t s = 0; s < steps; ++s, a += t.step, b += kStep * kBlock) {
      fetch.some();
      T::template load<6>(b, kBlockBytes);
      T::template load<4>(a, kStepBytes);
      T::template dot<kPrecision, 0, 4, 6>();
      T::template load<7>(b + kSide, kBlockBytes);
      T::template dot<kPrecision, 1, 4, 7>();
      T::template load<5>(a + kSide * kStep, kStepBytes);
      T::template dot<kPrecision, 2, 5, 6>();
      T::template dot<kPrecision, 3, 5, 7>();
    }
    auto* const sums = static_cast<uint32_t*>(t.sums) + column;
    T::template store<0>(sums, kBlockBytes);
    T::template store<1>(sums + kSide, kBlockBytes);
    T::template store<2>(sums + kSide * kBlock, kBlockBytes);
    T::template store<3>(sums + kSide * kBlock + kSide, kBlockBytes);
  }
}

template <class T, Precision kPrecision>
void run(int64_t rows, const NarrowTile& t) {
  const int64_t low = std::min(rows, kSide), steps = ceil_div(t.words, kStep);
  T::configure({.low = low, .high = rows - low});
  rows > low ? low_and_high_rows<T, kPrecision>(t, steps) : low_rows<T, kPrecision>(t, steps);
}

template <class T, Precision kPrecision>
constexpr NarrowKernel kKernel = {
    .rows = 2 * kSide, .group = 2 * kSide, .flipped = 0, .run = &run<T, kPrecision>, .done = &T::release};

template <class T>
const NarrowKernel& kernel_of(Precision p) {
  return p == Precision::int8 ? kKernel<T, Precision::int8> : kKernel<T, Precision::bf16>;
}

}  // namespace

const NarrowKernel& tile_kernel(Precision p, [[maybe_unused]] bool emulated) {
#if defined(__x86_64__)
  if (!emulated) return kernel_of<AmxTiles>(p);
#endif
  return kernel_of<EmulatedTiles>(p);
}

}  // namespace lookback::kernels::cpu_impl
