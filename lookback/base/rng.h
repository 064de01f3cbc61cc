// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel
// random numbers: as easy as 1, 2, 3"). A number is a pure function of
// (seed, stream, index), so it does not depend on threads, order or resume.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "lookback/base/elementary.h"

namespace lookback {

// Ten rounds of Philox over a 128-bit counter with a 64-bit key.
constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9, k1 += 0xBB67AE85;
  }
  return c;
}

// A place to draw numbers from: `seed` names the run, `stream` the use.
struct Stream {
  uint64_t seed = 0;
  uint64_t stream = 0;

  // Four independent 32-bit words at position `index`.
  constexpr std::array<uint32_t, 4> words(uint64_t index) const {
    return philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), static_cast<uint32_t>(stream),
                   static_cast<uint32_t>(stream >> 32)},
                  seed);
  }
};

// A stream read in order. Its whole state is (seed, stream, position), so it
// can be saved and taken up again.
class Rng {
 public:
  explicit Rng(uint64_t seed, uint64_t stream = 0) : stream_{seed, stream} {}

  uint32_t next() {
    if (position_ % 4 == 0 || !fresh_) words_ = stream_.words(position_ / 4), fresh_ = true;
    return words_[position_++ % 4];
  }
  // In [0, 1), with 24 random bits.
  float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24f; }
  // In [0, 1), with 53 random bits.
  double uniform_double() {
    const uint64_t hi = next(), lo = next();
    return static_cast<double>(((hi << 32) | lo) >> 11) * 0x1p-53;
  }
  // In [0, n), without bias; n > 0.
  uint64_t below(uint64_t n) {
    const uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t x;
    do {
      x = (uint64_t{next()} << 32) | next();
    } while (x >= limit);
    return x % n;
  }
  // Standard normal, by Box and Muller.
  double normal() {
    const double u = 1.0 - uniform_double(), v = uniform_double();
    return std::sqrt(-2.0 * elementary::log(u)) * elementary::cos(6.283185307179586 * v);
  }
  // Of the gamma distribution with scale 1, for shape > 0. (Marsaglia and Tsang 2000, "A simple method for generating
  // gamma variables"; a shape below 1 from the one above, by their section 6.)
  double gamma(double shape) {
    if (shape < 1) {
      const double above = gamma(shape + 1);
      return above * elementary::exp(elementary::log(1.0 - uniform_double()) / shape);
    }
    const double d = shape - 1.0 / 3, c = 1 / (3 * std::sqrt(d));
    for (;;) {
      const double x = normal(), root = 1 + c * x, v = root * root * root, u = 1.0 - uniform_double();
      if (root > 0 && elementary::log(u) <= x * x / 2 + d * (1 - v + elementary::log(v))) return d * v;
    }
  }
  uint64_t position() const { return position_; }
  void seek(uint64_t position) { position_ = position, fresh_ = false; }

 private:
  Stream stream_;
  uint64_t position_ = 0;
  std::array<uint32_t, 4> words_{};
  bool fresh_ = false;
};

// Where the random numbers of one training step come from. Every use (each
// dropout, each sampled token) takes the next stream, in program order; a
// stream is named by (step, use) and so survives stop and resume.
struct Noise {
  uint64_t seed = 0;
  uint64_t step = 0;
  uint32_t uses = 0;

  Stream next() { return {seed, (step << 20) | uses++}; }
};

}  // namespace lookback
