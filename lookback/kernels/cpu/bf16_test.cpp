#include "lookback/kernels/cpu/bf16.h"

#include <bit>

#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

using cpu_impl::to_bf16;
using cpu_impl::to_bf16_pairs;
using cpu_impl::to_bf16_transposed;

float value(uint16_t x) { return std::bit_cast<float>(uint32_t{x} << 16); }

TEST(Bf16, RoundsToTheNearest) {
  auto x = numbers(1000, 1);
  for (size_t k = 0; k < x.size(); ++k) x[k] *= std::ldexp(1.0f, static_cast<int>(k % 200) - 100);
  std::vector<uint16_t> buffer;
  const uint16_t* y = to_bf16({.data = x.data(), .rows = 1, .cols = 1000, .ld = 1000}, 1, buffer);
  for (size_t k = 0; k < x.size(); ++k) {
    const float below = value(static_cast<uint16_t>(y[k] - 1)), above = value(static_cast<uint16_t>(y[k] + 1));
    const float error = std::abs(value(y[k]) - x[k]);
    EXPECT_LE(error, std::abs(below - x[k])) << " " << x[k];
    EXPECT_LE(error, std::abs(above - x[k])) << " " << x[k];
  }
}

TEST(Bf16, TiesGoToEvenAndWhatIsNoNumberStays) {
  const auto from = [](uint32_t bits) { return std::bit_cast<float>(bits); };
  const std::vector<std::pair<uint32_t, uint16_t>> cases = {
      {0x3F808000, 0x3F80}, {0x3F818000, 0x3F82}, {0x3F808001, 0x3F81}, {0x3F817FFF, 0x3F81}, {0xBF818000, 0xBF82},
      {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x7F800000, 0x7F80}, {0xFF800000, 0xFF80}, {0x7F7FFFFF, 0x7F80},
      {0x7FC00000, 0x7FC0}, {0x7F800001, 0x7FC0}, {0x7FFFFFFF, 0x7FFF}, {0xFFFFFFFF, 0xFFFF}, {0x00008000, 0x0000}};
  for (const auto& [bits, want] : cases) {
    const float x = from(bits);
    std::vector<uint16_t> buffer;
    EXPECT_EQ(*to_bf16({.data = &x, .rows = 1, .cols = 1, .ld = 1}, 1, buffer), want) << std::hex << bits;
  }
}

TEST(Bf16, RowsAreClosedUpAndZerosFollow) {
  const auto x = numbers(7 * 40, 1);
  for (const int64_t cols : {1, 15, 16, 33, 40}) {
    std::vector<uint16_t> buffer(10 * 40, 0xABCD), row_buffer;
    const uint16_t* y = to_bf16({.data = x.data(), .rows = 7, .cols = cols, .ld = 40}, 10, buffer);
    for (int64_t r = 0; r < 10; ++r) {
      const uint16_t* want =
          r < 7 ? to_bf16({.data = x.data() + r * 40, .rows = 1, .cols = cols, .ld = 40}, 1, row_buffer) : nullptr;
      for (int64_t c = 0; c < cols; ++c) EXPECT_EQ(y[r * cols + c], want ? want[c] : 0) << r << " " << c;
    }
  }
}

// What stands at [row, column] of x in bf16; zero past its ends.
uint16_t element(const std::vector<uint16_t>& x, int64_t rows, int64_t cols, int64_t row, int64_t column) {
  return row < rows && column < cols ? x[static_cast<size_t>(row * cols + column)] : uint16_t{0};
}

TEST(Bf16, TransposedIsTheSameElsewhere) {
  for (const auto& [rows, cols, made] :
       std::vector<std::array<int64_t, 3>>{{1, 1, 8}, {7, 15, 8}, {9, 16, 64}, {64, 33, 64}, {100, 130, 128}}) {
    const int64_t ld = cols + 3;
    const auto x = numbers(rows * ld, 1);
    std::vector<uint16_t> whole, transposed(static_cast<size_t>(cols * made), 0xABCD);
    to_bf16({.data = x.data(), .rows = rows, .cols = cols, .ld = ld}, rows, whole);
    to_bf16_transposed({.data = x.data(), .rows = rows, .cols = cols, .ld = ld}, made, transposed);
    for (int64_t c = 0; c < cols; ++c)
      for (int64_t r = 0; r < made; ++r)
        ASSERT_EQ(transposed[static_cast<size_t>(c * made + r)], element(whole, rows, cols, r, c))
            << " " << rows << " x " << cols << ", row " << r << ", column " << c;
  }
}

TEST(Bf16, PairsAreTheSameElsewhere) {
  for (const auto& [rows, cols, width] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 16}, {7, 15, 16}, {9, 16, 32}, {64, 33, 64}, {100, 130, 64}, {700, 70, 48}})
    for (const bool transposed : {false, true}) {
      const int64_t stored_rows = transposed ? cols : rows, stored_cols = transposed ? rows : cols;
      const int64_t ld = stored_cols + 3, made = (rows + 31) / 32 * 32, blocks = (cols + width - 1) / width;
      const auto x = numbers(stored_rows * ld, 1);
      const cpu_impl::FloatMatrix stored{.data = x.data(), .rows = stored_rows, .cols = stored_cols, .ld = ld};
      std::vector<uint16_t> whole;
      to_bf16(stored, stored_rows, whole);
      std::vector<uint32_t> out(static_cast<size_t>(made / 2 * blocks * width), 0xABCDABCD);
      to_bf16_pairs(stored, transposed, {.data = out.data(), .rows = made, .width = width});
      for (int64_t c = 0; c < blocks * width; ++c)
        for (int64_t r = 0; r < made; ++r) {
          const uint32_t pair = out[static_cast<size_t>(c / width * width * made / 2 + r / 2 * width + c % width)];
          ASSERT_EQ(static_cast<uint16_t>(r % 2 ? pair >> 16 : pair),
                    transposed ? element(whole, cols, rows, c, r) : element(whole, rows, cols, r, c))
              << " " << rows << " x " << cols << (transposed ? " transposed" : "") << ", row " << r << ", column " << c;
        }
    }
}

}  // namespace
}  // namespace lookback::kernels
