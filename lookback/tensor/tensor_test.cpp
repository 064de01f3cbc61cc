#include "lookback/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lookback {
namespace {

template <class R>
std::vector<R> values(const Tensor& t) {
  const auto span = t.span<R>();
  return {span.begin(), span.end()};
}

TEST(Tensor, EmptyHasNoElements) {
  const Tensor t;
  EXPECT_TRUE(t.empty());
  EXPECT_EQ(t.size(), 0);
  EXPECT_EQ(t.bytes(), nullptr);
  EXPECT_EQ(t.data<float>(), nullptr);
  EXPECT_TRUE(t.clone().empty());
  EXPECT_FALSE(t.shares_storage(t));
}

TEST(Tensor, KnowsItsShapeAndType) {
  const Tensor t({2, 3, 4}, Dtype::f64);
  EXPECT_FALSE(t.empty());
  EXPECT_EQ(t.size(), 24);
  EXPECT_EQ(t.byte_size(), 192);
  EXPECT_EQ(t.dim(0), 2);
  EXPECT_EQ(t.dim(-1), 4);
  EXPECT_EQ(t.dim(-3), 2);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t.bytes()) % 64, 0u);
}

TEST(Tensor, RefusesTheWrongElementType) {
  const Tensor t({2}, Dtype::f32);
  try {
    t.data<double>();
    FAIL() << "nothing was thrown";
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "tensor holds f32, asked for f64");
  }
}

TEST(Tensor, RefusesShapesWhoseBytesOverflow) {
  EXPECT_THROW(Tensor({int64_t{1} << 62}, Dtype::f64), ShapeError);
  EXPECT_THROW(Tensor({int64_t{1} << 40, int64_t{1} << 40}), ShapeError);
}

TEST(Tensor, FillsAndCopiesIn) {
  EXPECT_EQ(values<float>(Tensor::zeros({2, 2})), std::vector<float>(4, 0.0f));
  EXPECT_EQ(values<int32_t>(Tensor::zeros({3}, Dtype::i32)), std::vector<int32_t>(3, 0));
  EXPECT_EQ(values<double>(Tensor::full({2}, 0.1, Dtype::f64)), std::vector<double>(2, 0.1));
  EXPECT_EQ(values<int32_t>(Tensor::of<int32_t>({3}, {1, 2, 3})), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_THROW(Tensor::of<float>({2, 2}, {1, 2, 3}), ShapeError);
}

TEST(Tensor, CopiesAndViewsShareTheElements) {
  const Tensor t = Tensor::of<float>({3, 2}, {0, 1, 2, 3, 4, 5});
  const Tensor copy = t, flat = t.reshape({6}), middle = t.rows(1, 2);
  EXPECT_EQ(middle.shape(), (Shape{1, 2}));
  EXPECT_EQ(values<float>(middle), (std::vector<float>{2, 3}));
  middle.data<float>()[0] = 20;
  EXPECT_EQ(values<float>(copy), (std::vector<float>{0, 1, 20, 3, 4, 5}));
  EXPECT_EQ(values<float>(flat), (std::vector<float>{0, 1, 20, 3, 4, 5}));
  EXPECT_TRUE(copy.shares_storage(t) && flat.shares_storage(t) && middle.shares_storage(t));
}

TEST(Tensor, RowsOfRowsAddUp) {
  const Tensor t = Tensor::of<double>({5}, {0, 1, 2, 3, 4});
  EXPECT_EQ(values<double>(t.rows(1, 5).rows(2, 3)), std::vector<double>{3});
  EXPECT_EQ(t.rows(2, 2).size(), 0);
  EXPECT_EQ(t.rows(5, 5).size(), 0);
}

TEST(Tensor, ClonesDoNotShare) {
  const Tensor t = Tensor::of<float>({2, 2}, {0, 1, 2, 3});
  const Tensor row = t.rows(1, 2).clone();
  EXPECT_FALSE(row.shares_storage(t));
  t.fill_zero();
  EXPECT_EQ(values<float>(row), (std::vector<float>{2, 3}));
}

TEST(Tensor, FillZeroTouchesOnlyItsRows) {
  const Tensor t = Tensor::of<float>({3}, {1, 2, 3});
  t.rows(1, 2).fill_zero();
  EXPECT_EQ(values<float>(t), (std::vector<float>{1, 0, 3}));
}

TEST(Tensor, RefusesViewsThatDoNotFit) {
  const Tensor t({3, 2});
  EXPECT_THROW(t.reshape({5}), ShapeError);
  EXPECT_THROW(t.rows(-1, 1), ShapeError);
  EXPECT_THROW(t.rows(2, 1), ShapeError);
  EXPECT_THROW(t.rows(0, 4), ShapeError);
  EXPECT_THROW(Tensor::full({}, 1).rows(0, 0), ShapeError);
}

TEST(Tensor, ConvertsBetweenFloats) {
  const float third = 1.0f / 3;
  const Tensor f = Tensor::of<float>({3}, {third, -0.0f, 1e30f});
  const Tensor d = f.to(Dtype::f64);
  EXPECT_EQ(values<double>(d), (std::vector<double>{third, -0.0, 1e30f}));
  EXPECT_EQ(values<float>(d.to(Dtype::f32)), values<float>(f));
  EXPECT_EQ(values<float>(Tensor::of<double>({1}, {0.1}).to(Dtype::f32)), std::vector<float>{0.1f});
}

TEST(Tensor, ConvertsToBf16AndBack) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor b = Tensor::of<float>({4}, {1.00390625f, 1.01171875f, -2.0f, nan}).to(Dtype::bf16);
  EXPECT_EQ(b.byte_size(), 8);
  const std::vector<float> back = values<float>(b.to(Dtype::f32));
  EXPECT_EQ(back[0], 1.0f);       // halfway between 1 and 1.0078125: to the even one
  EXPECT_EQ(back[1], 1.015625f);  // halfway between 1.0078125 and 1.015625: to the even one
  EXPECT_EQ(back[2], -2.0f);
  EXPECT_TRUE(std::isnan(back[3]));
}

TEST(Tensor, ConversionToItsOwnTypeCopies) {
  const Tensor t = Tensor::of<int32_t>({2}, {7, 8});
  const Tensor same = t.to(Dtype::i32);
  EXPECT_EQ(values<int32_t>(same), (std::vector<int32_t>{7, 8}));
  EXPECT_FALSE(same.shares_storage(t));
}

TEST(Tensor, RefusesOtherConversions) {
  try {
    Tensor::of<int32_t>({1}, {1}).to(Dtype::f32);
    FAIL() << "nothing was thrown";
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "cannot convert i32 to f32");
  }
}

}  // namespace
}  // namespace lookback
