#include "lookback/kernels/cpu/bf16.h"

#include <bit>

#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

using cpu_impl::to_bf16;

float value(uint16_t x) { return std::bit_cast<float>(uint32_t{x} << 16); }

TEST(Bf16, RoundsToTheNearest) {
  each_target([](const std::string& target) {
    auto x = numbers(1000, 1);
    for (size_t k = 0; k < x.size(); ++k) x[k] *= std::ldexp(1.0f, static_cast<int>(k % 200) - 100);
    std::vector<uint16_t> buffer;
    const uint16_t* y = to_bf16({.data = x.data(), .rows = 1, .cols = 1000, .ld = 1000}, 1, buffer);
    for (size_t k = 0; k < x.size(); ++k) {
      const float below = value(static_cast<uint16_t>(y[k] - 1)), above = value(static_cast<uint16_t>(y[k] + 1));
      const float error = std::abs(value(y[k]) - x[k]);
      EXPECT_LE(error, std::abs(below - x[k])) << target << " " << x[k];
      EXPECT_LE(error, std::abs(above - x[k])) << target << " " << x[k];
    }
  });
}

TEST(Bf16, TiesGoToEvenAndWhatIsNoNumberStays) {
  const auto from = [](uint32_t bits) { return std::bit_cast<float>(bits); };
  const std::vector<std::pair<uint32_t, uint16_t>> cases = {
      {0x3F808000, 0x3F80}, {0x3F818000, 0x3F82}, {0x3F808001, 0x3F81}, {0x3F817FFF, 0x3F81}, {0xBF818000, 0xBF82},
      {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x7F800000, 0x7F80}, {0xFF800000, 0xFF80}, {0x7F7FFFFF, 0x7F80},
      {0x7FC00000, 0x7FC0}, {0x7F800001, 0x7FC0}, {0x7FFFFFFF, 0x7FFF}, {0xFFFFFFFF, 0xFFFF}, {0x00008000, 0x0000}};
  each_target([&](const std::string& target) {
    for (const auto& [bits, want] : cases) {
      const float x = from(bits);
      std::vector<uint16_t> buffer;
      EXPECT_EQ(*to_bf16({.data = &x, .rows = 1, .cols = 1, .ld = 1}, 1, buffer), want) << target << std::hex << bits;
    }
  });
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

}  // namespace
}  // namespace lookback::kernels
