#include "lookback/picture/resize.h"

#include <algorithm>

#include "lookback/base/error.h"

namespace lookback::picture {
namespace {

// The weights of one place of the result: of inputs begin to begin + size, from the place `first` of a common list.
struct Span {
  int64_t begin, size, first;
};
struct Filter {
  std::vector<Span> spans;
  std::vector<uint32_t> weights;  // those of a span add up to 1 << kWeightBits
};
constexpr int kWeightBits = 15;

// A triangle around each place, as wide as two of the coarser of both grids, cut off at the edges.
Filter triangles(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out), half = std::max(scale, 1.0);
  Filter f;
  std::vector<double> values;
  for (int64_t k = 0; k < out; ++k) {
    const double centre = (static_cast<double>(k) + 0.5) * scale;
    const int64_t begin = std::max<int64_t>(static_cast<int64_t>(centre - half + 0.5), 0);
    const int64_t end = std::min(static_cast<int64_t>(centre + half + 0.5), in);
    values.clear();
    double total = 0;
    for (int64_t i = begin; i < end; ++i) {
      const double distance = (static_cast<double>(i) + 0.5 - centre) / half;
      values.push_back(std::max(1 - (distance < 0 ? -distance : distance), 0.0));
      total += values.back();
    }
    f.spans.push_back({begin, end - begin, std::ssize(f.weights)});
    // What is rounded is the sum so far: whatever their number, the weights add up.
    double sum = 0;
    uint32_t before = 0;
    for (const double v : values) {
      sum += v;
      const auto upto = static_cast<uint32_t>(sum / total * (1 << kWeightBits) + 0.5);
      f.weights.push_back(upto - before);
      before = upto;
    }
  }
  return f;
}

// [height, width, 3] of bytes -> [height, out, 3], 8 bits more.
std::vector<uint16_t> filtered_rows(const Image& image, int64_t out) {
  const Filter f = triangles(image.width, out);
  std::vector<uint16_t> result(static_cast<size_t>(image.height * out * 3));
  uint16_t* to = result.data();
  for (int64_t y = 0; y < image.height; ++y)
    for (const Span& s : f.spans) {
      uint32_t sums[3] = {64, 64, 64};  // half of what is cut off
      const uint8_t* from = image.at(y, s.begin);
      const uint32_t* w = f.weights.data() + s.first;
      for (int64_t i = 0; i < s.size; ++i, from += 3)
        for (int c = 0; c < 3; ++c) sums[c] += w[i] * from[c];
      for (const uint32_t sum : sums) *to++ = static_cast<uint16_t>(sum >> (kWeightBits - 8));
    }
  return result;
}

}  // namespace

Image resized(const Image& image, int64_t height, int64_t width) {
  check(image.height >= 1 && image.width >= 1 && height >= 1 && width >= 1, "resized: ", image.height, " x ",
        image.width, " to ", height, " x ", width, ": every side has to be positive");
  if (height == image.height && width == image.width) return image;
  const std::vector<uint16_t> rows = filtered_rows(image, width);
  const Filter f = triangles(image.height, height);
  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
  std::vector<uint32_t> sums(static_cast<size_t>(width * 3));
  uint8_t* to = out.rgb.data();
  constexpr int kShift = kWeightBits + 8;
  for (const Span& s : f.spans) {
    std::ranges::fill(sums, 1u << (kShift - 1));
    for (int64_t i = 0; i < s.size; ++i) {
      const uint16_t* from = rows.data() + (s.begin + i) * width * 3;
      const uint32_t w = f.weights[static_cast<size_t>(s.first + i)];
      for (size_t c = 0; c < sums.size(); ++c) sums[c] += w * from[c];
    }
    for (const uint32_t sum : sums) *to++ = static_cast<uint8_t>(sum >> kShift);
  }
  return out;
}

Image cropped(const Image& image, int64_t top, int64_t left, int64_t height, int64_t width) {
  check(
      top >= 0 && left >= 0 && height >= 1 && width >= 1 && height <= image.height - top && width <= image.width - left,
      "cropped: ", height, " x ", width, " from (", top, ", ", left, ") does not lie within ", image.height, " x ",
      image.width);
  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
  for (int64_t y = 0; y < height; ++y) std::copy_n(image.at(top + y, left), width * 3, out.rgb.data() + y * width * 3);
  return out;
}

Image centre_cropped(const Image& image, int64_t height, int64_t width) {
  return cropped(image, (image.height - height) / 2, (image.width - width) / 2, height, width);
}

Image flipped(const Image& image) {
  Image out{image.height, image.width, std::vector<uint8_t>(image.rgb.size())};
  uint8_t* to = out.rgb.data();
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t x = image.width; x-- > 0; to += 3) std::copy_n(image.at(y, x), 3, to);
  return out;
}

}  // namespace lookback::picture
