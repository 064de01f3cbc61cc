// Pictures of another size, parts of them and mirrored ones. Whole numbers only: the same bits everywhere.
#pragma once

#include "lookback/picture/image_file.h"

namespace lookback::picture {

// Bilinear where it grows; where it shrinks, the mean under a triangle as wide as two pixels of the result, so that
// every pixel counts. Sides need not keep their ratio. Throws ShapeError unless all sides are positive.
Image resized(const Image& image, int64_t height, int64_t width);

// height x width pixels from (top, left). Throws ShapeError if they do not lie within the picture.
Image cropped(const Image& image, int64_t top, int64_t left, int64_t height, int64_t width);
// The middle, as cropped.
Image centre_cropped(const Image& image, int64_t height, int64_t width);
// Left and right exchanged.
Image flipped(const Image& image);

}  // namespace lookback::picture
