#include "lookback/kernels/cpu/int8.h"

#include <array>
#include <cstring>

#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/kernels/cpu/int8_product.h"
#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

using cpu_impl::from_int8;
using cpu_impl::to_int8;

TEST(Int8, RowsAreScaledByTheirLargest) {
  const int64_t rows = 9, cols = 37, ld = 40;
  auto x = numbers(rows * ld, 1);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) x[static_cast<size_t>(r * ld + c)] *= std::ldexp(1.0f, static_cast<int>(r) - 4);
  std::vector<int8_t> q(static_cast<size_t>(rows * cols));
  std::vector<float> scales(static_cast<size_t>(rows));
  to_int8({.data = x.data(), .rows = rows, .cols = cols, .ld = ld}, q.data(), scales.data());
  for (int64_t r = 0; r < rows; ++r) {
    float largest = 0;
    for (int64_t c = 0; c < cols; ++c) largest = std::max(largest, std::abs(x[static_cast<size_t>(r * ld + c)]));
    const float scale = scales[static_cast<size_t>(r)];
    EXPECT_EQ(scale, largest / 127);
    int most = 0;
    for (int64_t c = 0; c < cols; ++c) {
      const int value = q[static_cast<size_t>(r * cols + c)];
      EXPECT_NEAR(scale * static_cast<float>(value), x[static_cast<size_t>(r * ld + c)], 0.5001f * scale);
      most = std::max(most, std::abs(value));
    }
    EXPECT_EQ(most, 127);
  }
}

TEST(Int8, TheReferenceAgreesToTheBit) {
  for (const int64_t n : {1, 5, 16, 37, 200})
    expect_agreement(
        [&]<class R>(const Table<R>& table) {
          const int64_t rows = 6;
          auto x = numbers<R>(rows * n, 1);
          for (int64_t k = 0; k < n; ++k) {
            x[static_cast<size_t>(k)] = 0;
            x[static_cast<size_t>(n + k)] *= R{1e-32f};
            x[static_cast<size_t>(2 * n + k)] *= R{1e30f};
          }
          x.back() = std::numeric_limits<R>::infinity();
          std::vector<int8_t> q(x.size(), 1);
          std::vector<float> scales(static_cast<size_t>(rows));
          table.quantise_rows({rows, n, x.data(), q.data(), scales.data()});
          EXPECT_TRUE(std::isnan(scales.back()));
          scales.back() = 0;
          Outputs out;
          put(out, "q", q), put(out, "scales", scales);
          return out;
        },
        str_cat("quantise_rows, ", n, " columns"));
}

// What an exported model rests on: floats made of int8 rows are rounded to the same rows again.
TEST(Int8, EveryScaleIsThatOfItsOwnProducts) {
  int64_t others = 0;
  for (uint32_t mantissa = 0; mantissa < uint32_t{1} << 23; ++mantissa) {
    const float scale = int8_scale(std::bit_cast<float>(uint32_t{127} << 23 | mantissa));
    others += int8_scale(scale * 127) != scale;
  }
  EXPECT_EQ(others, 0);
}

TEST(Int8, RowsOfProductsKeepTheirScaleAndTheirBytes) {
  const int64_t rows = 3000, cols = 19;
  auto x = numbers(rows * cols, 3);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      x[static_cast<size_t>(r * cols + c)] *= std::ldexp(1.0f, static_cast<int>(r % 90) - 60);
  std::vector<int8_t> q(x.size()), again(x.size());
  std::vector<float> scales(static_cast<size_t>(rows)), scales_again(scales);
  to_int8({.data = x.data(), .rows = rows, .cols = cols, .ld = cols}, q.data(), scales.data());
  for (size_t k = 0; k < x.size(); ++k) x[k] = scales[k / cols] * static_cast<float>(q[k]);
  to_int8({.data = x.data(), .rows = rows, .cols = cols, .ld = cols}, again.data(), scales_again.data());
  EXPECT_EQ(q, again);
  EXPECT_EQ(scales, scales_again);
}

TEST(Int8, ZerosAndWhatIsNoNumber) {
  for (const int64_t n : {1, 5, 16, 33})
    for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      std::vector<float> x(static_cast<size_t>(2 * n));
      x.back() = odd;
      std::vector<int8_t> q(x.size(), 1);
      float scales[2] = {1, 1};
      to_int8({.data = x.data(), .rows = 2, .cols = n, .ld = n}, q.data(), scales);
      EXPECT_EQ(scales[0], 0);
      EXPECT_TRUE(std::isnan(scales[1])) << odd;
      for (const int8_t v : q) EXPECT_EQ(v, 0);
    }
}

TEST(Int8, SumsOfProductsAreThoseOfWholeNumbers) {
  for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                                {1, 130, 67},
                                {2, 64, 8},
                                {3, 65, 4},
                                {7, 200, 131},
                                {13, 63, 1030},
                                {41, 70, 300}}) {
    std::vector<int8_t> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(n * k));
    Rng rng(static_cast<uint64_t>(m * 1000 + k));
    for (int8_t& x : a) x = static_cast<int8_t>(static_cast<int>(rng.below(255)) - 127);
    for (int8_t& x : b) x = static_cast<int8_t>(static_cast<int>(rng.below(256)) - 128);
    // The largest sums there are.
    std::fill_n(a.begin(), k, int8_t{-127}), std::fill_n(b.begin(), k, int8_t{-128});
    const std::vector<float> scales(static_cast<size_t>(n), 1.0f);
    Matmul<float> weight{.n = n, .k = k, .ldb = k, .transpose_b = true};
    weight.b_int8 = b.data(), weight.b_scales = scales.data();
    const auto packed = cpu_impl::int8_pack(weight, nullptr);
    for (const int threads : {1, 2}) {
      const ThreadScope scope(threads);
      std::vector<int32_t> sums(static_cast<size_t>(m * n), 77);
      const cpu_impl::Int8Product product{
          .m = m, .n = n, .k = k, .a = a.data(), .b = packed.get(), .sums = sums.data()};
      cpu_impl::int8_product({&product, 1});
      for (int64_t i = 0; i < m * n; ++i) {
        int32_t want = 0;
        for (int64_t t = 0; t < k; ++t)
          want += a[static_cast<size_t>(i / n * k + t)] * b[static_cast<size_t>(i % n * k + t)];
        ASSERT_EQ(sums[static_cast<size_t>(i)], want) << "m " << m << ", n " << n << ", k " << k << ", element " << i;
      }
    }
  }
}

TEST(Int8, SumsBecomeFloats) {
  const int64_t m = 3, n = 21, ld = 24, ldc = 25;
  std::vector<int32_t> sums(static_cast<size_t>(m * ld));
  for (size_t k = 0; k < sums.size(); ++k) sums[k] = static_cast<int32_t>(k * 977) - 20000;
  const auto a = numbers(m, 1), b = numbers(n, 2), before = numbers(m * ldc, 3);
  for (const auto& [add, with_bias] : {std::pair{false, false}, {false, true}, {true, false}, {true, true}}) {
    auto c = before;
    const float* bias = with_bias ? b.data() : nullptr;
    from_int8({.sums = sums.data(), .m = m, .n = n, .ld = ld, .a_scales = a.data(), .b_scales = b.data(), .bias = bias},
              c.data(), ldc, add);
    for (int64_t r = 0; r < m; ++r)
      for (int64_t k = 0; k < ldc; ++k) {
        const auto at = static_cast<size_t>(r * ldc + k), column = static_cast<size_t>(k);
        if (k >= n) {
          EXPECT_EQ(c[at], before[at]) << ": beyond the columns";
          continue;
        }
        const float product =
            static_cast<float>(sums[static_cast<size_t>(r * ld + k)]) * a[static_cast<size_t>(r)] * b[column];
        const float want = product + (add ? before[at] : 0) + (with_bias ? b[column] : 0);
        EXPECT_NEAR(c[at], want, 1e-5 * std::max(1.0f, std::abs(product)));
      }
  }
}

}  // namespace
}  // namespace lookback::kernels
