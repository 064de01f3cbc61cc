#include "lookback/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace lookback {
namespace {

using Words = std::array<uint32_t, 4>;

// Known answers of Random123 (Salmon et al. 2011), file kat_vectors, philox4x32 10.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, ~uint64_t{0}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  // Digits of pi; the key's first word is the low half.
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Stream, CounterIsIndexThenStream) {
  const Stream s{.seed = 0x299f31d0a4093822, .stream = 0x0370734413198a2e};
  EXPECT_EQ(s.words(0x85a308d3243f6a88), (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, ReadsItsStreamInOrder) {
  Rng rng(7, 3);
  const Stream stream{7, 3};
  for (uint64_t index = 0; index < 3; ++index)
    for (const uint32_t word : stream.words(index)) EXPECT_EQ(rng.next(), word);
  EXPECT_EQ(rng.position(), 12u);
}

TEST(Rng, SeekContinuesFromAnyPosition) {
  Rng straight(11);
  std::vector<uint32_t> all(23);
  for (uint32_t& word : all) word = straight.next();
  for (uint64_t from = 0; from < all.size(); ++from) {
    Rng resumed(11);
    resumed.next();  // a position inside other words than the ones sought
    resumed.seek(from);
    EXPECT_EQ(resumed.position(), from);
    for (size_t k = from; k < all.size(); ++k) ASSERT_EQ(resumed.next(), all[k]) << "from " << from << " at " << k;
  }
}

TEST(Rng, SeedsAndStreamsDiffer) {
  std::set<uint32_t> first;
  for (uint64_t seed : {0, 1, 2})
    for (uint64_t stream : {0, 1, 2}) first.insert(Rng(seed, stream).next());
  EXPECT_EQ(first.size(), 9u);
}

TEST(Rng, UniformStaysInItsIntervalWithTheRightMoments) {
  Rng rng(1);
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0, sum_double = 0;
  for (int k = 0; k < kDraws; ++k) {
    const float u = rng.uniform();
    ASSERT_GE(u, 0.0f);
    ASSERT_LT(u, 1.0f);
    sum += u, squares += double{u} * u;
    const double d = rng.uniform_double();
    ASSERT_GE(d, 0.0);
    ASSERT_LT(d, 1.0);
    sum_double += d;
  }
  // Five standard errors: 5 * sqrt(1/12 / 1e5) = 0.0046.
  EXPECT_NEAR(sum / kDraws, 0.5, 0.0046);
  EXPECT_NEAR(sum_double / kDraws, 0.5, 0.0046);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.0048);
}

TEST(Rng, UniformDoubleHas53RandomBits) {
  Rng rng(2);
  int odd = 0;
  for (int k = 0; k < 1000; ++k) {
    const double scaled = rng.uniform_double() * 0x1p53;
    ASSERT_EQ(scaled, std::floor(scaled));
    odd += static_cast<uint64_t>(scaled) % 2;
  }
  EXPECT_NEAR(odd, 500, 80);  // five standard errors
}

TEST(Rng, NormalHasTheRightMoments) {
  Rng rng(3);
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0, fourths = 0;
  for (int k = 0; k < kDraws; ++k) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x, squares += x * x, fourths += x * x * x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourths / kDraws, 3, 5 * std::sqrt(96.0 / kDraws));
}

// The mean is the shape, so is the variance, and the third central moment is twice that.
TEST(Rng, GammaHasTheRightMoments) {
  for (const double shape : {0.3, 1.0, 2.5, 40.0, 1e6}) {
    Rng rng(8);
    constexpr int kDraws = 100000;
    double sum = 0, squares = 0, cubes = 0;
    for (int k = 0; k < kDraws; ++k) {
      const double x = rng.gamma(shape), z = (x - shape) / std::sqrt(shape);
      ASSERT_TRUE(x >= 0 && std::isfinite(x));
      sum += z, squares += z * z, cubes += z * z * z;
    }
    // Five standard errors: the variance of (z^2) is 2 + 6 / shape, that of (z^3) is at most 15 (1 + 5 / shape)^3.
    EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws)) << shape;
    EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt((2 + 6 / shape) / kDraws)) << shape;
    EXPECT_NEAR(cubes / kDraws, 2 / std::sqrt(shape), 5 * std::sqrt(15 * std::pow(1 + 5 / shape, 3) / kDraws)) << shape;
  }
}

// Chi-squared with 6 degrees of freedom passes 40 with probability below 1e-6.
TEST(Rng, BelowIsUniform) {
  Rng rng(4);
  constexpr int kDraws = 70000;
  std::array<int, 7> count{};
  for (int k = 0; k < kDraws; ++k) {
    const uint64_t x = rng.below(7);
    ASSERT_LT(x, 7u);
    ++count[x];
  }
  double chi = 0;
  for (const int c : count) chi += (c - 1e4) * (c - 1e4) / 1e4;
  EXPECT_LT(chi, 40);
}

// Where n does not divide 2^64, plain remainders favour small values: with
// n = 3 * 2^62 a value below 2^62 would come up half of the time, not a third.
TEST(Rng, BelowHasNoBiasForHugeBounds) {
  Rng rng(5);
  constexpr int kDraws = 30000;
  int low = 0;
  for (int k = 0; k < kDraws; ++k) low += rng.below(uint64_t{3} << 62) < (uint64_t{1} << 62);
  EXPECT_NEAR(low / double{kDraws}, 1.0 / 3, 5 * std::sqrt(2.0 / 9 / kDraws));
}

TEST(Rng, BelowOneIsZero) { EXPECT_EQ(Rng(6).below(1), 0u); }

TEST(Noise, EveryUseOfEveryStepHasItsOwnStream) {
  std::set<uint64_t> streams;
  for (uint64_t step = 0; step < 10; ++step) {
    Noise noise{.seed = 9, .step = step};
    for (int use = 0; use < 10; ++use) {
      const Stream s = noise.next();
      EXPECT_EQ(s.seed, 9u);
      streams.insert(s.stream);
    }
  }
  EXPECT_EQ(streams.size(), 100u);
}

}  // namespace
}  // namespace lookback
