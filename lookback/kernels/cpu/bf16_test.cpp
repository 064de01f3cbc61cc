#include "lookback/kernels/cpu/bf16.h"

#include <array>
#include <bit>

#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

using cpu_impl::FloatMatrix;
using cpu_impl::kBlock;
using cpu_impl::kStep;
using cpu_impl::NarrowBlocks;
using cpu_impl::NarrowOrder;

float value(uint16_t x) { return std::bit_cast<float>(uint32_t{x} << 16); }

uint16_t half(uint32_t word, int64_t element) { return static_cast<uint16_t>(element % 2 ? word >> 16 : word); }

uint16_t rounded(float x) {
  std::vector<uint32_t> out(kStep);
  cpu_impl::to_bf16({.data = &x, .rows = 1, .cols = 1, .ld = 1}, {.rows = 1, .words = kStep, .group = 1}, out.data());
  return half(out[0], 0);
}

TEST(Bf16, RoundsToTheNearest) {
  auto x = numbers(1000, 1);
  for (size_t k = 0; k < x.size(); ++k) {
    x[k] *= std::ldexp(1.0f, static_cast<int>(k % 200) - 100);
    const uint16_t y = rounded(x[k]);
    const float below = value(static_cast<uint16_t>(y - 1)), above = value(static_cast<uint16_t>(y + 1));
    const float error = std::abs(value(y) - x[k]);
    EXPECT_LE(error, std::abs(below - x[k])) << " " << x[k];
    EXPECT_LE(error, std::abs(above - x[k])) << " " << x[k];
  }
}

TEST(Bf16, TiesGoToEvenAndWhatIsNoNumberStays) {
  const std::vector<std::pair<uint32_t, uint16_t>> cases = {
      {0x3F808000, 0x3F80}, {0x3F818000, 0x3F82}, {0x3F808001, 0x3F81}, {0x3F817FFF, 0x3F81}, {0xBF818000, 0xBF82},
      {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x7F800000, 0x7F80}, {0xFF800000, 0xFF80}, {0x7F7FFFFF, 0x7F80},
      {0x7FC00000, 0x7FC0}, {0x7F800001, 0x7FC0}, {0x7FFFFFFF, 0x7FFF}, {0xFFFFFFFF, 0xFFFF}, {0x00008000, 0x0000}};
  for (const auto& [bits, want] : cases) EXPECT_EQ(rounded(std::bit_cast<float>(bits)), want) << std::hex << bits;
}

// Of a left factor, element k of a row.
uint16_t element(const std::vector<uint32_t>& words, const NarrowOrder& order, int64_t row, int64_t k) {
  const int64_t word = k / 2;
  return half(words[static_cast<size_t>(order.start(row) + word / kStep * order.stride(row) + word % kStep)], k);
}

// What stands at [row, column] of x in bf16; zero past its ends.
uint16_t want(const FloatMatrix& x, int64_t row, int64_t column) {
  return row < x.rows && column < x.cols ? rounded(x.data[row * x.ld + column]) : uint16_t{0};
}

constexpr std::array<int64_t, 2> kSizes[] = {{1, 1}, {7, 15}, {9, 16}, {64, 33}, {33, 64}, {100, 130}};

TEST(Bf16, LeftFactorsLieInTheirOrder) {
  for (const auto& [rows, cols] : kSizes)
    for (const int64_t group : {1, 32}) {
      const auto numbers_of_x = numbers(rows * (cols + 3), 1);
      const FloatMatrix x{.data = numbers_of_x.data(), .rows = rows, .cols = cols, .ld = cols + 3};
      const NarrowOrder order{.rows = rows, .words = cpu_impl::whole_steps((cols + 1) / 2), .group = group};
      std::vector<uint32_t> out(static_cast<size_t>(order.size()), 0xABCDABCD);
      cpu_impl::to_bf16(x, order, out.data());
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < 2 * order.words; ++c)
          ASSERT_EQ(element(out, order, r, c), want(x, r, c))
              << rows << " x " << cols << ", groups of " << group << ", row " << r << ", column " << c;
    }
}

TEST(Bf16, TransposedIsTheSameElsewhere) {
  for (const auto& [rows, cols] : kSizes)
    for (const int64_t group : {1, 32}) {
      const auto numbers_of_x = numbers(rows * (cols + 3), 1);
      const FloatMatrix x{.data = numbers_of_x.data(), .rows = rows, .cols = cols, .ld = cols + 3};
      const NarrowOrder order{.rows = cols, .words = cpu_impl::whole_steps((rows + 1) / 2), .group = group};
      std::vector<uint32_t> out(static_cast<size_t>(order.size()), 0xABCDABCD);
      cpu_impl::to_bf16_transposed(x, order, out.data());
      for (int64_t r = 0; r < cols; ++r)
        for (int64_t c = 0; c < 2 * order.words; ++c)
          ASSERT_EQ(element(out, order, r, c), want(x, c, r))
              << rows << " x " << cols << ", groups of " << group << ", row " << r << ", column " << c;
    }
}

TEST(Bf16, RightFactorsLieInBlocksOfColumns) {
  for (const auto& [k, n] :
       std::vector<std::array<int64_t, 2>>{{1, 1}, {7, 15}, {9, 16}, {64, 33}, {100, 130}, {700, 70}})
    for (const bool transposed : {false, true}) {
      const int64_t stored_rows = transposed ? n : k, stored_cols = transposed ? k : n;
      const auto numbers_of_x = numbers(stored_rows * (stored_cols + 3), 1);
      const FloatMatrix x{.data = numbers_of_x.data(), .rows = stored_rows, .cols = stored_cols, .ld = stored_cols + 3};
      NarrowBlocks out;
      out.lay_out(Precision::bf16, n, k);
      cpu_impl::to_bf16_blocks(x, transposed, out);
      for (int64_t c = 0; c < ceil_div(n, kBlock) * kBlock; ++c)
        for (int64_t i = 0; i < 2 * out.words; ++i)
          ASSERT_EQ(half(out.block(c / kBlock)[i / 2 * kBlock + c % kBlock], i),
                    transposed ? want(x, c, i) : want(x, i, c))
              << k << " x " << n << (transposed ? " transposed" : "") << ", k " << i << ", column " << c;
    }
}

TEST(Bf16, SumsBecomeFloats) {
  const int64_t m = 3, n = 21, ld = 24, ldc = 25;
  const auto sums = numbers(m * ld, 1), bias = numbers(n, 2), before = numbers(m * ldc, 3);
  for (const bool add : {false, true})
    for (const bool with_bias : {false, true}) {
      auto c = before;
      cpu_impl::from_bf16({.sums = sums.data(), .m = m, .n = n, .ld = ld, .bias = with_bias ? bias.data() : nullptr},
                          c.data(), ldc, add);
      for (int64_t r = 0; r < m; ++r)
        for (int64_t k = 0; k < ldc; ++k) {
          const auto at = static_cast<size_t>(r * ldc + k), column = static_cast<size_t>(k);
          float sum = before[at];
          if (k < n) {
            sum = sums[static_cast<size_t>(r * ld + k)];
            if (with_bias) sum += bias[column];
            if (add) sum += before[at];
          }
          EXPECT_EQ(c[at], sum) << "row " << r << ", column " << k;
        }
    }
}

}  // namespace
}  // namespace lookback::kernels
