#include "lookback/tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace lookback {
namespace {

TEST(Dtype, NamesAndSizes) {
  EXPECT_EQ(item_size(Dtype::f32), 4);
  EXPECT_EQ(item_size(Dtype::f64), 8);
  EXPECT_EQ(item_size(Dtype::i32), 4);
  EXPECT_EQ(item_size(Dtype::bf16), 2);
  EXPECT_EQ(item_size(Dtype::i8), 1);
  EXPECT_STREQ(name_of(Dtype::f32), "f32");
  EXPECT_STREQ(name_of(Dtype::f64), "f64");
  EXPECT_STREQ(name_of(Dtype::i32), "i32");
  EXPECT_STREQ(name_of(Dtype::bf16), "bf16");
  EXPECT_STREQ(name_of(Dtype::i8), "i8");
  EXPECT_EQ(dtype_of<Bf16>, Dtype::bf16);
  EXPECT_EQ(dtype_of<int8_t>, Dtype::i8);
}

TEST(Dtype, WithFloatPicksTheTypeAndRefusesOthers) {
  auto size = []<class R>() { return sizeof(R); };
  EXPECT_EQ(with_float(Dtype::f32, size), 4u);
  EXPECT_EQ(with_float(Dtype::f64, size), 8u);
  EXPECT_THROW(with_float(Dtype::i32, size), ShapeError);
  EXPECT_THROW(with_float(Dtype::bf16, size), ShapeError);
}

float from_bits(uint32_t bits) { return std::bit_cast<float>(bits); }

TEST(Bf16, RoundsToNearestEven) {
  EXPECT_EQ(Bf16(1.0f).bits, 0x3F80);
  EXPECT_EQ(Bf16(from_bits(0x3F807FFF)).bits, 0x3F80);  // just below half: down
  EXPECT_EQ(Bf16(from_bits(0x3F808000)).bits, 0x3F80);  // half, even below: down
  EXPECT_EQ(Bf16(from_bits(0x3F808001)).bits, 0x3F81);  // just above half: up
  EXPECT_EQ(Bf16(from_bits(0x3F818000)).bits, 0x3F82);  // half, odd below: up
  EXPECT_EQ(Bf16(from_bits(0x3FFF8000)).bits, 0x4000);  // the carry reaches the exponent
  EXPECT_EQ(Bf16(-1.0f).bits, 0xBF80);
}

TEST(Bf16, EveryValueSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    Bf16 b;
    b.bits = static_cast<uint16_t>(bits);
    const float f = static_cast<float>(b);
    if (std::isnan(f))
      EXPECT_TRUE(std::isnan(static_cast<float>(Bf16(f))));
    else
      ASSERT_EQ(Bf16(f).bits, bits);
  }
}

TEST(Bf16, KeepsInfinityAndNan) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(static_cast<float>(Bf16(kInf)), kInf);
  EXPECT_EQ(static_cast<float>(Bf16(-kInf)), -kInf);
  EXPECT_EQ(static_cast<float>(Bf16(std::numeric_limits<float>::max())), kInf);
  // Payload only in the lower half: plain truncation would make it infinity, rounding could wrap it to zero.
  EXPECT_TRUE(std::isnan(static_cast<float>(Bf16(from_bits(0x7F800001)))));
  EXPECT_TRUE(std::isnan(static_cast<float>(Bf16(from_bits(0xFFFFFFFF)))));
}

}  // namespace
}  // namespace lookback
