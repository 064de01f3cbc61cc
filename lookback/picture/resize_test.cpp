#include "lookback/picture/resize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lookback/base/error.h"
#include "lookback/picture/testing.h"

namespace lookback::picture {
namespace {

// One place of the result by the definition, in real numbers.
double value_at(const Image& image, int64_t height, int64_t width, int64_t y, int64_t x, int channel) {
  const double sy = static_cast<double>(image.height) / static_cast<double>(height), hy = std::max(sy, 1.0);
  const double sx = static_cast<double>(image.width) / static_cast<double>(width), hx = std::max(sx, 1.0);
  double sum = 0, total = 0;
  for (int64_t i = 0; i < image.height; ++i)
    for (int64_t j = 0; j < image.width; ++j) {
      const double wy = 1 - std::abs(static_cast<double>(i) + 0.5 - (static_cast<double>(y) + 0.5) * sy) / hy;
      const double wx = 1 - std::abs(static_cast<double>(j) + 0.5 - (static_cast<double>(x) + 0.5) * sx) / hx;
      if (wy <= 0 || wx <= 0) continue;
      sum += wy * wx * image.at(i, j)[channel], total += wy * wx;
    }
  return sum / total;
}

TEST(Resize, IsItsDefinition) {
  for (const auto& [h, w] : {std::pair<int64_t, int64_t>{1, 1}, {1, 5}, {7, 7}, {13, 22}, {40, 31}})
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {7, 7}, {5, 40}, {30, 3}, {64, 64}}) {
      const Image image = noise(h, w, 1), out = resized(image, height, width);
      ASSERT_EQ(out.height, height);
      ASSERT_EQ(out.width, width);
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x)
          for (int c = 0; c < 3; ++c)
            EXPECT_NEAR(out.at(y, x)[c], value_at(image, height, width, y, x, c), 0.55) << h << w << height << width;
    }
}

TEST(Resize, OneColourStays) {
  for (const uint8_t colour : {0, 1, 127, 254, 255}) {
    const Image image{97, 53, std::vector<uint8_t>(97 * 53 * 3, colour)};
    for (const int64_t size : {1, 13, 53, 227})
      for (const uint8_t v : resized(image, size, size).rgb) ASSERT_EQ(v, colour);
  }
}

TEST(Resize, VeryWideOnes) {
  const Image image = noise(1, 50'000, 2);
  const Image out = resized(image, 1, 2);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(out.at(0, 0)[c], 127.5, 4);
  EXPECT_EQ(resized(Image{1, 1, {1, 2, 3}}, 2, 2).rgb, (std::vector<uint8_t>{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}));
}

TEST(Resize, PartsAndMirrors) {
  const Image image = noise(5, 4, 3);
  const Image part = cropped(image, 1, 2, 3, 2);
  for (int64_t y = 0; y < 3; ++y)
    for (int64_t x = 0; x < 2; ++x) EXPECT_EQ(part.at(y, x)[1], image.at(y + 1, x + 2)[1]);
  EXPECT_EQ(centre_cropped(image, 3, 2), cropped(image, 1, 1, 3, 2));
  EXPECT_EQ(cropped(image, 0, 0, 5, 4), image);
  for (int64_t x = 0; x < 4; ++x) EXPECT_EQ(flipped(image).at(2, x)[2], image.at(2, 3 - x)[2]);
  EXPECT_EQ(flipped(flipped(image)), image);
  EXPECT_THROW(cropped(image, 3, 0, 3, 1), ShapeError);
  EXPECT_THROW(cropped(image, 0, -1, 1, 1), ShapeError);
  EXPECT_THROW(cropped(image, 0, 0, 0, 1), ShapeError);
  EXPECT_THROW(centre_cropped(image, 6, 4), ShapeError);
  EXPECT_THROW(resized(image, 0, 4), ShapeError);
  EXPECT_THROW(resized(Image{}, 2, 2), ShapeError);
}

}  // namespace
}  // namespace lookback::picture
