// Private to picture: the readers of each format, and what they share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lookback/picture/image_file.h"

namespace lookback::picture {

// EXIF's tag Orientation, 1 to 8, of a TIFF header and its first directory; 1 where there is none or it makes no sense.
int exif_orientation(std::string_view tiff);
// The picture as it is to be seen, of one stored with that orientation.
Image oriented(Image image, int orientation);

// Throws FormatError for a picture of no or too many pixels.
void check_size(int64_t height, int64_t width, const ImageLimits& limits, const std::string& name);

// All of a file's bytes, which begin as the format does. Throw FormatError.
Image read_jpeg(std::string_view bytes, const ImageLimits& limits, const std::string& name);
Image read_png(std::string_view bytes, const ImageLimits& limits, const std::string& name);

}  // namespace lookback::picture
