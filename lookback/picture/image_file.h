// Pictures: JPEG (grey, colour, CMYK; progressive too) and PNG (every kind, 16 bits and interlaced too). Other formats
// are refused by their first bytes, before any parser of theirs sees them. libjpeg is loaded with the first JPEG.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lookback::picture {

// Rows from the top, three bytes (red, green, blue) for each place.
struct Image {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]

  const uint8_t* at(int64_t y, int64_t x) const { return rgb.data() + (y * width + x) * 3; }
  bool operator==(const Image&) const = default;
};

struct ImageLimits {
  int64_t pixels = 50'000'000;  // height times width, of the file's header
  int64_t bytes = 256'000'000;  // of the file
  // If positive, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, the least whose shorter side has as many pixels:
  // for whoever shrinks it further, several times as fast.
  int64_t shortest_side = 0;
};

// The picture as it is to be seen: turned as its EXIF says, transparency over white, 16 bits rounded to 8; of an
// animated PNG the first picture, of CMYK without a profile the plain complement. Throws IoError if there is no such
// file, and FormatError "path: ..." for another format, what is damaged or cut short, and what is larger than the
// limits, which is seen before anything is decoded.
Image read_image(const std::string& path, const ImageLimits& limits = {});

}  // namespace lookback::picture
