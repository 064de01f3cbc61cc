#include "lookback/metrics/numpy_random.h"

#include <array>
#include <bit>
#include <cstddef>

namespace lookback::metrics {
namespace {

// SeedSequence(seed).generate_state(8): four words of entropy mixed into a pool of four, read out as eight.
std::array<uint32_t, 8> seed_words(uint64_t seed) {
  uint32_t hash = 0x43b0d7e5;
  const auto hash_mix = [&](uint32_t value) {
    value ^= hash;
    hash *= 0x931e8875;
    value *= hash;
    return value ^ (value >> 16);
  };
  const auto mix = [](uint32_t x, uint32_t y) {
    const uint32_t r = 0xca01f9ddu * x - 0x4973f715u * y;
    return r ^ (r >> 16);
  };
  std::array<uint32_t, 4> pool{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), 0, 0};
  for (uint32_t& p : pool) p = hash_mix(p);
  for (std::size_t from = 0; from < pool.size(); ++from)
    for (std::size_t to = 0; to < pool.size(); ++to)
      if (from != to) pool[to] = mix(pool[to], hash_mix(pool[from]));

  std::array<uint32_t, 8> out{};
  hash = 0x8b51f9dd;
  for (std::size_t k = 0; k < out.size(); ++k) {
    uint32_t value = pool[k % pool.size()] ^ hash;
    hash *= 0x58f38ded;
    value *= hash;
    out[k] = value ^ (value >> 16);
  }
  return out;
}

}  // namespace

NumpyRandom::NumpyRandom(uint64_t seed) {
  const auto w = seed_words(seed);
  const auto pair = [&](int k) { return uint64_t{w[k]} | uint64_t{w[k + 1]} << 32; };
  increment_ = ((Wide{pair(4)} << 64 | pair(6)) << 1) | 1;
  next64();
  state_ += Wide{pair(0)} << 64 | pair(2);
  next64();
}

uint64_t NumpyRandom::next64() {
  state_ = state_ * (Wide{2549297995355413924u} << 64 | 4865540595714422341u) + increment_;
  return std::rotr(static_cast<uint64_t>(state_ >> 64) ^ static_cast<uint64_t>(state_),
                   static_cast<int>(state_ >> 122));
}

uint32_t NumpyRandom::next32() {
  if (has_high_) {
    has_high_ = false;
    return high_;
  }
  const uint64_t word = next64();
  high_ = static_cast<uint32_t>(word >> 32);
  has_high_ = true;
  return static_cast<uint32_t>(word);
}

// Lemire (2019), "Fast random integer generation in an interval".
uint64_t NumpyRandom::below(uint64_t n) {
  if (n <= 1) return 0;
  if (n > UINT32_MAX) return next32();
  uint64_t product = uint64_t{next32()} * n;
  if (static_cast<uint32_t>(product) < n) {
    const auto threshold = static_cast<uint32_t>((uint64_t{1} << 32) % n);
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next32()} * n;
  }
  return product >> 32;
}

bool NumpyRandom::Bits::next() {
  if (left_ == 0)
    word_ = random_.next32(), left_ = 31;
  else
    word_ >>= 1, --left_;
  return word_ & 1;
}

}  // namespace lookback::metrics
