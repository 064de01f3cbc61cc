#include "lookback/picture/image_file.h"

#include <algorithm>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/io/posix_file.h"
#include "lookback/picture/image_parts.h"

namespace lookback::picture {
namespace {

using namespace std::literals;

// What stands at a place of files of a format that is not read.
struct Signature {
  const char* format;
  size_t at;
  std::string_view bytes;
};
constexpr Signature kOthers[] = {
    {"GIF", 0, "GIF8"sv},         {"BMP", 0, "BM"sv},
    {"WebP", 8, "WEBP"sv},        {"TIFF", 0, "II*\0"sv},
    {"TIFF", 0, "MM\0*"sv},       {"JPEG 2000", 0, "\0\0\0\x0CjP  "sv},
    {"JPEG XL", 0, "\xFF\x0A"sv}, {"JPEG XL", 0, "\0\0\0\x0CJXL "sv},
    {"AVIF", 4, "ftypavif"sv},    {"HEIF", 4, "ftyp"sv},
    {"PDF", 0, "%PDF"sv},         {"SVG", 0, "<svg"sv},
    {"Photoshop", 0, "8BPS"sv},   {"OpenEXR", 0, "\x76\x2F\x31\x01"sv},
};

constexpr std::string_view kPng = "\x89PNG\r\n\x1A\n"sv, kJpeg = "\xFF\xD8\xFF"sv;

bool looks_like_text(std::string_view bytes) {
  for (size_t k = 0; k < std::min<size_t>(bytes.size(), 256); ++k) {
    const auto byte = static_cast<unsigned char>(bytes[k]);
    // Of UTF-8 only what comes after a beginning in ASCII.
    if ((byte < 0x20 && (byte < '\t' || byte > '\r')) || (byte >= 0x7F && k < 16)) return false;
  }
  return true;
}

}  // namespace

void check_size(int64_t height, int64_t width, const ImageLimits& limits, const std::string& name) {
  check<FormatError>(height >= 1 && width >= 1, name, ": damaged: a picture of ", width, " x ", height, " pixels");
  check<FormatError>(width <= limits.pixels / height, name, ": ", width, " x ", height,
                     " pixels are more than the limit of ", fixed(static_cast<double>(limits.pixels) / 1e6, 1),
                     " million; make it smaller first");
}

Image oriented(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  // The place of the stored picture that is seen at a place.
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  Image out{image.height, image.width, std::vector<uint8_t>(image.rgb.size())};
  if (transposed) std::swap(out.height, out.width);
  uint8_t* to = out.rgb.data();
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x, to += 3) {
      int64_t row = transposed ? x : y, column = transposed ? y : x;
      // 5 mirrors at the diagonal, 6 is seen turned to the right, 7 mirrors at the other one, 8 to the left.
      const bool flip_row = transposed ? from_right : from_bottom, flip_column = transposed ? from_bottom : from_right;
      if (flip_row) row = image.height - 1 - row;
      if (flip_column) column = image.width - 1 - column;
      std::copy_n(image.at(row, column), 3, to);
    }
  return out;
}

int exif_orientation(std::string_view tiff) {
  if (tiff.size() < 8) return 1;
  const bool little = tiff.starts_with("II*\0"sv);
  if (!little && !tiff.starts_with("MM\0*"sv)) return 1;
  const auto number = [&](uint64_t at, int bytes) -> uint64_t {  // 0 behind the end
    if (at + static_cast<uint64_t>(bytes) > tiff.size()) return 0;
    uint64_t out = 0;
    for (int k = 0; k < bytes; ++k) {
      const auto byte = static_cast<unsigned char>(tiff[at + static_cast<uint64_t>(little ? bytes - 1 - k : k)]);
      out = out << 8 | byte;
    }
    return out;
  };
  constexpr uint64_t kOrientation = 0x0112, kShort = 3, kEntry = 12;
  const uint64_t directory = number(4, 4), entries = number(directory, 2);
  for (uint64_t k = 0; k < entries; ++k) {
    const uint64_t at = directory + 2 + k * kEntry;
    if (at + kEntry > tiff.size()) break;
    if (number(at, 2) != kOrientation) continue;
    const uint64_t value = number(at + 8, 2);
    return number(at + 2, 2) == kShort && number(at + 4, 4) == 1 && value >= 1 && value <= 8 ? static_cast<int>(value)
                                                                                             : 1;
  }
  return 1;
}

Image read_image(const std::string& path, const ImageLimits& limits) {
  const std::string bytes = io::read_file(path, limits.bytes);
  const std::string_view all = bytes;
  if (all.starts_with(kJpeg)) return read_jpeg(all, limits, path);
  if (all.starts_with(kPng)) return read_png(all, limits, path);
  check<FormatError>(!all.empty(), path, ": an empty file, no picture");
  for (const Signature& s : kOthers)
    check<FormatError>(all.size() < s.at || !all.substr(s.at).starts_with(s.bytes), path, ": ", s.format,
                       " cannot be read; write JPEG or PNG");
  throw FormatError(str_cat(path, ": neither JPEG nor PNG", looks_like_text(all) ? ", but text" : " by its first bytes",
                            "; write JPEG or PNG"));
}

}  // namespace lookback::picture
