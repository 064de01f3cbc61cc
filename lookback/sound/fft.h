// Private to sound: power spectra of real numbers, in double, with the same bits on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace lookback::sound {

// So many transforms are done at once: value k of all of them, then value k + 1 of all.
constexpr int64_t kLanes = 4;

// The discrete Fourier transforms of N real values each, N a power of two from 4 on, through those of N/2 complex
// values. (Stockham's self-sorting form: Cochran et al. 1967, "What is the fast Fourier transform?".)
class RealFft {
 public:
  explicit RealFft(int64_t n);

  int64_t size() const { return 2 * half_; }
  // Doubles that `power` needs to work in.
  int64_t scratch_size() const { return 4 * half_ * kLanes; }
  // power_k = |sum_t x_t e^(-2 pi i k t / N)|^2 for k in [0, N/2). x: [N, kLanes], power: [N/2, kLanes].
  void power(const double* x, double* scratch, double* power) const;

 private:
  int64_t half_;
  std::vector<double> cosines_, sines_;            // of 2 pi k / (N/2), k < N/4
  std::vector<double> real_cosines_, real_sines_;  // of 2 pi k / N, k <= N/4
};

}  // namespace lookback::sound
