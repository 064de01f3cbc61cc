// numpy.random.default_rng(seed): PCG64 (O'Neill 2014, XSL-RR 128/64) seeded by SeedSequence. sacreBLEU draws its
// resamples from it; the same seed gives the same resamples here, so intervals and p-values can be compared.
#pragma once

#include <cstdint>

namespace lookback::metrics {

class NumpyRandom {
 public:
  explicit NumpyRandom(uint64_t seed);

  // The next element of integers(0, n, ...), which is choice(n, ...) with replacement; 0 < n <= 2^32.
  uint64_t below(uint64_t n);

  // integers(2, dtype=bool) takes 32 of them from each word; a new array starts with a new word.
  class Bits {
   public:
    explicit Bits(NumpyRandom& random) : random_(random) {}
    bool next();

   private:
    NumpyRandom& random_;
    uint32_t word_ = 0;
    int left_ = 0;
  };

 private:
  __extension__ using Wide = unsigned __int128;

  uint64_t next64();
  uint32_t next32();  // the low half of a 64-bit word, then its high half

  Wide state_ = 0, increment_ = 0;
  uint32_t high_ = 0;
  bool has_high_ = false;
};

}  // namespace lookback::metrics
