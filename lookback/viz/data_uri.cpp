#include "lookback/viz/data_uri.h"

#include <png.h>

namespace lookback::viz {
namespace {

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const auto byte = [&](size_t k) -> uint32_t {
      return at + k < bytes.size() ? static_cast<unsigned char>(bytes[at + k]) : 0;
    };
    const uint32_t three = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (const uint32_t shift : {18U, 12U, 6U, 0U}) out += kDigits[three >> shift & 63];
  }
  const size_t left = bytes.size() % 3;
  if (left > 0) out.replace(out.size() - (3 - left), 3 - left, 3 - left, '=');
  return out;
}

}  // namespace

std::string png_of(const Pixels& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(pixels.columns);
  image.height = static_cast<png_uint_32>(pixels.rows);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string out(size, '\0');
  const bool good = png_image_write_to_memory(&image, out.data(), &size, 0, pixels.rgb.data(), 0, nullptr) != 0;
  check<Error>(good, "picture maps: a picture of ", pixels.columns, " x ", pixels.rows,
               " pixels could not be written: ", std::string(image.message));
  out.resize(size);
  return out;
}

std::string data_uri(const Pixels& pixels) { return "data:image/png;base64," + base64(png_of(pixels)); }

}  // namespace lookback::viz
