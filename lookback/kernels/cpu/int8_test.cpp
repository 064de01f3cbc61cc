#include "lookback/kernels/cpu/int8.h"

#include <cstring>

#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

using cpu_impl::from_int8;
using cpu_impl::to_int8;

TEST(Int8, RowsAreScaledByTheirLargest) {
  each_target([](const std::string& target) {
    const int64_t rows = 9, cols = 37, ld = 40;
    auto x = numbers(rows * ld, 1);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c)
        x[static_cast<size_t>(r * ld + c)] *= std::ldexp(1.0f, static_cast<int>(r) - 4);
    std::vector<int8_t> q(static_cast<size_t>(rows * cols));
    std::vector<float> scales(static_cast<size_t>(rows));
    to_int8({.data = x.data(), .rows = rows, .cols = cols, .ld = ld}, q.data(), scales.data());
    for (int64_t r = 0; r < rows; ++r) {
      float largest = 0;
      for (int64_t c = 0; c < cols; ++c) largest = std::max(largest, std::abs(x[static_cast<size_t>(r * ld + c)]));
      const float scale = scales[static_cast<size_t>(r)];
      EXPECT_FLOAT_EQ(scale, largest / 127) << target;
      int most = 0;
      for (int64_t c = 0; c < cols; ++c) {
        const int value = q[static_cast<size_t>(r * cols + c)];
        EXPECT_NEAR(scale * static_cast<float>(value), x[static_cast<size_t>(r * ld + c)], 0.5001f * scale) << target;
        most = std::max(most, std::abs(value));
      }
      EXPECT_EQ(most, 127);
    }
  });
}

TEST(Int8, ZerosAndWhatIsNoNumber) {
  each_target([](const std::string& target) {
    for (const int64_t n : {1, 5, 16, 33})
      for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()}) {
        std::vector<float> x(static_cast<size_t>(2 * n));
        x.back() = odd;
        std::vector<int8_t> q(x.size(), 1);
        float scales[2] = {1, 1};
        to_int8({.data = x.data(), .rows = 2, .cols = n, .ld = n}, q.data(), scales);
        EXPECT_EQ(scales[0], 0) << target;
        EXPECT_TRUE(std::isnan(scales[1])) << target << odd;
        for (const int8_t v : q) EXPECT_EQ(v, 0);
      }
  });
}

TEST(Int8, SumsBecomeFloatsWhereTheyAre) {
  each_target([](const std::string& target) {
    const int64_t m = 2, n = 37;
    const auto a = numbers(m, 1), b = numbers(n, 2), bias = numbers(n, 3);
    std::vector<int32_t> sums(static_cast<size_t>(m * n));
    for (size_t k = 0; k < sums.size(); ++k) sums[k] = static_cast<int32_t>(k * 977) - 20000;
    std::vector<float> apart(sums.size()), in_place(sums.size());
    std::memcpy(in_place.data(), sums.data(), sums.size() * sizeof(float));
    const auto run = [&](const void* from, float* to) {
      from_int8({.sums = static_cast<const int32_t*>(from),
                 .m = m,
                 .n = n,
                 .a_scales = a.data(),
                 .b_scales = b.data(),
                 .bias = bias.data()},
                to, n, false);
    };
    run(sums.data(), apart.data());
    run(in_place.data(), in_place.data());
    EXPECT_EQ(apart, in_place) << target;
  });
}

TEST(Int8, SumsBecomeFloats) {
  each_target([](const std::string& target) {
    const int64_t m = 3, n = 21, ldc = 25;
    std::vector<int32_t> sums(static_cast<size_t>(m * n));
    for (size_t k = 0; k < sums.size(); ++k) sums[k] = static_cast<int32_t>(k * 977) - 20000;
    const auto a = numbers(m, 1), b = numbers(n, 2), before = numbers(m * ldc, 3);
    for (const auto& [add, with_bias] : {std::pair{false, false}, {false, true}, {true, false}, {true, true}}) {
      auto c = before;
      const float* bias = with_bias ? b.data() : nullptr;
      from_int8({.sums = sums.data(), .m = m, .n = n, .a_scales = a.data(), .b_scales = b.data(), .bias = bias},
                c.data(), ldc, add);
      for (int64_t r = 0; r < m; ++r)
        for (int64_t k = 0; k < ldc; ++k) {
          const auto at = static_cast<size_t>(r * ldc + k);
          const float product = k < n ? static_cast<float>(sums[static_cast<size_t>(r * n + k)]) *
                                            a[static_cast<size_t>(r)] * b[static_cast<size_t>(k)]
                                      : 0;
          const float added = (add ? before[at] : 0) + (with_bias ? b[static_cast<size_t>(k)] : 0);
          const float want = k >= n ? before[at] : product + added;
          EXPECT_NEAR(c[at], want, 1e-5 * std::max(1.0f, std::abs(product))) << target;
        }
    }
  });
}

}  // namespace
}  // namespace lookback::kernels
