// The emulation of tiles against the arithmetic that was measured on the processor, and, where there are tiles, against
// them.
#include "lookback/kernels/cpu/tiles.h"

#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

using cpu_impl::EmulatedTiles;
using cpu_impl::kStep;

using Words = std::vector<uint32_t>;

Words random_words(int64_t n, uint64_t seed) {
  Rng rng(seed, 5);
  Words out(static_cast<size_t>(n));
  for (uint32_t& x : out) x = static_cast<uint32_t>(rng.below(uint64_t{1} << 32));
  return out;
}

// Pairs of bf16 of which some are subnormal, or so small that products are; and now and then one that is no number.
Words random_pairs(int64_t n, uint64_t seed, int exponent) {
  Rng rng(seed, 6);
  Words out;
  const auto one = [&] {
    const float x =
        std::ldexp(static_cast<float>(2 * rng.uniform() - 1), exponent + static_cast<int>(rng.below(9)) - 4);
    const float odd = rng.below(400) == 0 ? std::numeric_limits<float>::infinity() : x;
    return std::bit_cast<uint32_t>(odd) >> 16;
  };
  for (int64_t k = 0; k < n; ++k) out.push_back(one() | one() << 16);
  return out;
}

constexpr int64_t kTile = kStep * kStep, kRowBytes = 64;

// sum + a b of whole tiles, where the left factor has so many rows. `T`: one of the two fillings.
template <class T, Precision kPrecision>
Words tile_product(const Words& a, const Words& b, const Words& sum, int64_t low, int64_t high) {
  Words out = sum;
  T::configure({.low = low, .high = high});
  T::template load<0>(out.data(), kRowBytes);
  T::template load<4>(a.data(), kRowBytes);
  T::template load<7>(b.data(), kRowBytes);
  T::template dot<kPrecision, 0, 4, 7>();
  T::template store<0>(out.data(), kRowBytes);
  if (high > 0) {
    T::template load<3>(out.data() + kTile, kRowBytes);
    T::template load<5>(a.data() + kTile, kRowBytes);
    T::template dot<kPrecision, 3, 5, 7>();
    T::template store<3>(out.data() + kTile, kRowBytes);
  }
  T::release();
  return out;
}

// Word [r, c] of sum + a b by the C library's multiply-add.
uint32_t chain_of_bf16(const Words& a, const Words& b, uint32_t sum, int64_t r, int64_t c) {
  float even = 0, odd = 0;
  for (int64_t k = 0; k < kStep; ++k) {
    const uint32_t x = a[static_cast<size_t>(r * kStep + k)], y = b[static_cast<size_t>(k * kStep + c)];
    even = flushed(std::fma(flushed(as_float(x << 16)), flushed(as_float(y << 16)), even));
    odd = flushed(std::fma(flushed(as_float(x >> 16 << 16)), flushed(as_float(y >> 16 << 16)), odd));
  }
  return std::bit_cast<uint32_t>(flushed(flushed(as_float(sum)) + flushed(even + odd)));
}

bool same(uint32_t x, uint32_t y) { return x == y || (std::isnan(as_float(x)) && std::isnan(as_float(y))); }

TEST(Tiles, Bf16SumsAreTwoChainsOfMultiplyAdds) {
  for (const int exponent : {0, -30, -60, -63, -100, -128, 60})
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const Words a = random_pairs(2 * kTile, 3 * seed, exponent), b = random_pairs(kTile, 3 * seed + 1, exponent);
      Words sum;
      for (const float x : numbers(2 * kTile, seed))
        sum.push_back(std::bit_cast<uint32_t>(std::ldexp(x, 2 * exponent)));
      const auto [low, high] =
          seed % 2 ? std::pair<int64_t, int64_t>{16, 5} : std::pair<int64_t, int64_t>{seed % 16 + 1, 0};
      const Words got = tile_product<EmulatedTiles, Precision::bf16>(a, b, sum, low, high);
      for (int64_t r = 0; r < 2 * kStep; ++r)
        for (int64_t c = 0; c < kStep; ++c) {
          const auto at = static_cast<size_t>(r * kStep + c);
          const bool inside = r < low || (r >= kStep && r < kStep + high);
          const uint32_t want = inside ? chain_of_bf16(a, b, sum[at], r, c) : sum[at];
          ASSERT_PRED2(same, got[at], want) << "exponent " << exponent << ", seed " << seed << ", " << r << ", " << c;
        }
    }
}

TEST(Tiles, Int8SumsAreWholeNumbersThatWrapAround) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const Words a = random_words(2 * kTile, 3 * seed), b = random_words(kTile, 3 * seed + 1),
                sum = random_words(2 * kTile, 3 * seed + 2);
    const Words got = tile_product<EmulatedTiles, Precision::int8>(a, b, sum, 16, 16);
    for (int64_t r = 0; r < 2 * kStep; ++r)
      for (int64_t c = 0; c < kStep; ++c) {
        uint32_t want = sum[static_cast<size_t>(r * kStep + c)];
        for (int64_t k = 0; k < 4 * kStep; ++k) {
          const auto x = static_cast<int8_t>(a[static_cast<size_t>(r * kStep + k / 4)] >> k % 4 * 8);
          const auto y = static_cast<int8_t>(b[static_cast<size_t>(k / 4 * kStep + c)] >> k % 4 * 8);
          want += static_cast<uint32_t>(x * y);
        }
        ASSERT_EQ(got[static_cast<size_t>(r * kStep + c)], want) << r << ", " << c;
      }
  }
}

#if defined(__x86_64__)
TEST(Tiles, TheProcessorGivesTheBitsOfTheEmulation) {
  if (rungs().back() != Rung::amx) GTEST_SKIP() << "this processor has no 'amx'";
  using cpu_impl::AmxTiles;
  for (const int exponent : {0, -30, -60, -63, -100, -128, 60})
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const Words a = random_pairs(2 * kTile, 3 * seed, exponent), b = random_pairs(kTile, 3 * seed + 1, exponent);
      Words sum;
      for (const float x : numbers(2 * kTile, seed))
        sum.push_back(std::bit_cast<uint32_t>(std::ldexp(x, 2 * exponent)));
      for (const auto& [low, high] : {std::pair<int64_t, int64_t>{16, 16}, {16, 3}, {16, 0}, {1, 0}}) {
        const Words bf16 = tile_product<AmxTiles, Precision::bf16>(a, b, sum, low, high);
        const Words wanted = tile_product<EmulatedTiles, Precision::bf16>(a, b, sum, low, high);
        for (size_t k = 0; k < sum.size(); ++k) ASSERT_PRED2(same, bf16[k], wanted[k]) << exponent << ", " << seed;
        ASSERT_EQ((tile_product<AmxTiles, Precision::int8>(a, b, sum, low, high)),
                  (tile_product<EmulatedTiles, Precision::int8>(a, b, sum, low, high)));
      }
    }
}
#endif

}  // namespace
}  // namespace lookback::kernels
