// For tests of kernels: numbers that do not repeat, comparison of whole sets of outputs, and of the fast kernels with
// their references. They run on the rung in use; LOOKBACK_CPU names another one.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/base/rung.h"
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

inline float as_float(uint32_t bits) { return std::bit_cast<float>(bits); }
// As tiles read and write numbers: subnormal ones as zero.
inline float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

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

// For the life of this object, another rung is in use.
class RungScope {
 public:
  explicit RungScope(std::string_view name) : before_(name_in_use()) { use_rung(name, "test"); }
  ~RungScope() { use_rung(before_, "test"); }
  RungScope(const RungScope&) = delete;
  RungScope& operator=(const RungScope&) = delete;

 private:
  std::string_view before_;
};

// The kernels that expect_agreement has seen.
inline std::set<std::string>& compared_kernels() {
  static std::set<std::string> names;
  return names;
}

// The reference, which notes what is called.
inline const Table<float>& noting_ref() {
#define LOOKBACK_NOTE(kernel, Args)     \
  .kernel = [](const Args<float>& a) {  \
    compared_kernels().insert(#kernel); \
    ref<float>().kernel(a);             \
  },
  static const Table<float> table = {.name = "ref", LOOKBACK_KERNELS(LOOKBACK_NOTE)};
#undef LOOKBACK_NOTE
  return table;
}

// run(table) by the fast kernels must agree with the reference in float and in double, and must not change by a bit
// with the number of threads, nor from rung to rung.
template <class Run>
void expect_agreement(Run&& run, const std::string& what, Precision precision = Precision::f32) {
  const Outputs as_float = run(noting_ref()), as_double = run(ref<double>());
  Outputs alone;
  {
    const ThreadScope threads(1);
    alone = run(cpu());
  }
  expect_close(alone, as_float, what + ", float reference");
  expect_close(alone, as_double, what + ", double reference");
  for (const int n : {2, 3}) {
    const ThreadScope threads(n);
    expect_same_bits(run(cpu()), alone, what + ", " + std::to_string(n) + " threads");
  }
  if (precision == Precision::f32 && rung() > Rung::avx2) {
    const RungScope lower(name_of(Rung::avx2));
    expect_same_bits(run(cpu()), alone, what + ", avx2");
  }
}

}  // namespace lookback::kernels
