// For tests of kernels: numbers that do not repeat, comparison of
// whole sets of outputs, and a fixture that runs a test once per instruction set.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "hwy/targets.h"
#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/kernels/cpu/cpu.h"

namespace lookback::kernels {

// The one tolerance for f32: |got - want| <= kTolerance * max(1, |want|).
constexpr double kTolerance = 1e-5;

// n numbers in [-1, 1), the same for every R.
template <class R = float>
std::vector<R> numbers(int64_t n, uint64_t seed) {
  Rng rng(seed, 77);
  std::vector<R> out(static_cast<size_t>(n));
  for (R& x : out) x = static_cast<R>(2 * rng.uniform() - 1);
  return out;
}

// What a kernel wrote, by name. Doubles hold any float exactly.
using Outputs = std::vector<std::pair<std::string, std::vector<double>>>;

template <class R>
void put(Outputs& out, const char* name, const std::vector<R>& values) {
  out.emplace_back(name, std::vector<double>(values.begin(), values.end()));
}

inline void expect_close(const Outputs& got, const Outputs& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < got.size(); ++k) {
    const auto& [name, g] = got[k];
    const auto& w = want[k].second;
    ASSERT_EQ(g.size(), w.size()) << what << ": " << name;
    for (size_t i = 0; i < g.size(); ++i)
      ASSERT_LE(std::abs(g[i] - w[i]), kTolerance * std::max(1.0, std::abs(w[i])))
          << what << ": " << name << "[" << i << "] is " << g[i] << ", expected " << w[i];
  }
}

inline void expect_same_bits(const Outputs& got, const Outputs& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < got.size(); ++k) {
    const auto& [name, g] = got[k];
    const auto& w = want[k].second;
    ASSERT_EQ(g.size(), w.size()) << what << ": " << name;
    for (size_t i = 0; i < g.size(); ++i)
      ASSERT_EQ(std::bit_cast<uint64_t>(g[i]), std::bit_cast<uint64_t>(w[i]))
          << what << ": " << name << "[" << i << "]";
  }
}

// Calls f(name) once per instruction set that the SIMD files are compiled for and this machine has.
template <class F>
void each_target(F&& f) {
  struct Restore {
    ~Restore() { hwy::GetChosenTarget().Update(hwy::SupportedTargets()); }
  } restore;
  // Better targets have lower numbers: a limit masks those below it, and HWY_SCALAR every one but the baseline.
  const int64_t all = hwy::SupportedTargets();
  const auto run = [&](int64_t limit, const char* name) {
    hwy::GetChosenTarget().Update(all & ~(limit - 1));
    f(name);
  };
#if HWY_ARCH_X86
  if (all & HWY_AVX3) run(HWY_AVX3, "AVX-512");
  if (all & HWY_AVX2) run(HWY_AVX2, "AVX2");
  run(HWY_SCALAR, "baseline");
#else
  run(1, "the only target");  // chosen when it was compiled
#endif
}

// run(table) by the fast kernels must agree with the reference in float and in
// double, for every instruction set, and must not change by a bit with the number of threads.
template <class Run>
void expect_agreement(Run&& run, const std::string& what) {
  const Outputs as_float = run(ref<float>()), as_double = run(ref<double>());
  each_target([&](const std::string& target) {
    const std::string where = what + ", " + target;
    Outputs alone;
    {
      const ThreadScope threads(1);
      alone = run(cpu());
    }
    expect_close(alone, as_float, where + ", float reference");
    expect_close(alone, as_double, where + ", double reference");
    for (const int n : {2, 3}) {
      const ThreadScope threads(n);
      expect_same_bits(run(cpu()), alone, where + ", " + std::to_string(n) + " threads");
    }
  });
}

}  // namespace lookback::kernels
