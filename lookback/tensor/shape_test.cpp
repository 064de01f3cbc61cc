#include "lookback/tensor/shape.h"

#include <gtest/gtest.h>

namespace lookback {
namespace {

TEST(Shape, SizesAndText) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.rank(), 3);
  EXPECT_EQ(s.size(), 24);
  EXPECT_EQ(s[2], 4);
  EXPECT_EQ(str_cat(s), "[2,3,4]");
  EXPECT_EQ(str_cat(Shape{}), "[]");
  EXPECT_EQ(Shape{}.size(), 1);  // a scalar
  EXPECT_EQ((Shape{5, 0}).size(), 0);
}

TEST(Shape, EqualMeansSameRankAndDims) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2}), (Shape{2, 0}));
}

TEST(Shape, RefusesNegativeSizesAndTooManyDimensions) {
  EXPECT_THROW((Shape{2, -1}), ShapeError);
  EXPECT_NO_THROW((Shape{1, 2, 3, 4, 5}));
  EXPECT_THROW((Shape{1, 2, 3, 4, 5, 6}), ShapeError);
}

TEST(Shape, SizeThatOverflowsThrows) {
  EXPECT_EQ((Shape{int64_t{1} << 31, int64_t{1} << 31}).size(), int64_t{1} << 62);
  EXPECT_THROW((Shape{int64_t{1} << 32, int64_t{1} << 31}).size(), ShapeError);
  EXPECT_THROW((Shape{INT64_MAX, INT64_MAX, INT64_MAX}).size(), ShapeError);
}

}  // namespace
}  // namespace lookback
