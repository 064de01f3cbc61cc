// For tests: drawings, and files of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
//
#ifdef LOOKBACK_JPEG
#include <jpeglib.h>
#endif
#include <png.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "lookback/base/late_library.h"
#include "lookback/base/rng.h"
#include "lookback/picture/image_file.h"

namespace lookback::picture {

// Smooth, other at every place, and in no way symmetric.
inline Image drawing(int64_t height, int64_t width) {
  Image out{height, width, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      out.rgb.push_back(static_cast<uint8_t>(30 + 200 * y / height));
      out.rgb.push_back(static_cast<uint8_t>(20 + 210 * x / width));
      out.rgb.push_back(static_cast<uint8_t>(x < width / 2 && y < height / 2 ? 200 : 60));
    }
  return out;
}

inline Image noise(int64_t height, int64_t width, uint64_t seed) {
  Rng rng(seed);
  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
  for (uint8_t& v : out.rgb) v = static_cast<uint8_t>(rng.next() >> 24);
  return out;
}

struct PngLayout {
  int color = PNG_COLOR_TYPE_RGB;
  int bits = 8;
  bool interlaced = false;
  std::string palette;       // red, green, blue of each
  std::string transparency;  // tRNS
  std::string exif;          // a TIFF
};

// Rows as PNG has them, packed, one after another.
inline std::string png_bytes(int64_t height, int64_t width, const std::string& rows, const PngLayout& layout = {}) {
  std::string out;
  png_structp png = png_create_write_struct(
      PNG_LIBPNG_VER_STRING, nullptr, [](png_structp, png_const_charp why) { throw std::runtime_error(why); }, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep data, size_t n) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<const char*>(data), n);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), layout.bits, layout.color,
               layout.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!layout.palette.empty())
    png_set_PLTE(png, info, reinterpret_cast<png_const_colorp>(layout.palette.data()),
                 static_cast<int>(layout.palette.size() / 3));
  png_color_16 key{};
  if (!layout.transparency.empty() && layout.color == PNG_COLOR_TYPE_PALETTE)
    png_set_tRNS(png, info, reinterpret_cast<png_const_bytep>(layout.transparency.data()),
                 static_cast<int>(layout.transparency.size()), nullptr);
  else if (!layout.transparency.empty()) {
    key.red = static_cast<unsigned char>(layout.transparency[0]);
    key.green = static_cast<unsigned char>(layout.transparency[1]);
    key.blue = static_cast<unsigned char>(layout.transparency[2]);
    png_set_tRNS(png, info, nullptr, 1, &key);
  }
  std::string exif = layout.exif;
  if (!exif.empty())
    png_set_eXIf_1(png, info, static_cast<png_uint_32>(exif.size()), reinterpret_cast<png_bytep>(exif.data()));
  png_write_info(png, info);
  const size_t row_bytes = png_get_rowbytes(png, info);
  std::vector<png_bytep> pointers;
  for (int64_t y = 0; y < height; ++y)
    pointers.push_back(
        const_cast<png_bytep>(reinterpret_cast<png_const_bytep>(rows.data()) + row_bytes * static_cast<size_t>(y)));
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}
inline std::string png_bytes(const Image& image, const PngLayout& layout = {}) {
  return png_bytes(image.height, image.width, {image.rgb.begin(), image.rgb.end()}, layout);
}

struct JpegLayout {
  int channels = 3;  // 1 grey, 3 RGB, 4 CMYK
  int quality = 95;
  bool progressive = false;
  std::string app1;  // of a marker of EXIF, with its head
};

#ifdef LOOKBACK_JPEG

inline const LateLibrary& jpeg_writer() {
  static const LateLibrary library(JPEG_LIB_VERSION >= 80 ? "libjpeg.so.8" : "libjpeg.so.62", "a JPEG picture", "");
  return library;
}
inline bool has_jpeg() { return jpeg_writer().loaded(); }

// Each stands for the function of the same name.
#define LOOKBACK_LATE(function) inline constexpr LateFunction<jpeg_writer, decltype(::function)> function{#function};
LOOKBACK_LATE(jpeg_CreateCompress)
LOOKBACK_LATE(jpeg_destroy_compress)
LOOKBACK_LATE(jpeg_finish_compress)
LOOKBACK_LATE(jpeg_mem_dest)
LOOKBACK_LATE(jpeg_set_defaults)
LOOKBACK_LATE(jpeg_set_quality)
LOOKBACK_LATE(jpeg_simple_progression)
LOOKBACK_LATE(jpeg_start_compress)
LOOKBACK_LATE(jpeg_std_error)
LOOKBACK_LATE(jpeg_write_marker)
LOOKBACK_LATE(jpeg_write_scanlines)
#undef LOOKBACK_LATE

inline std::string jpeg_bytes(int64_t height, int64_t width, const std::string& rows, const JpegLayout& layout = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT: as libjpeg has it
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(width), info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = layout.channels;
  info.in_color_space = layout.channels == 1 ? JCS_GRAYSCALE : layout.channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, layout.quality, TRUE);
  info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;  // no chroma is lost
  if (layout.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!layout.app1.empty())
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(layout.app1.data()),
                      static_cast<unsigned>(layout.app1.size()));
  for (int64_t y = 0; y < height; ++y) {
    auto* row = const_cast<JSAMPROW>(reinterpret_cast<const JSAMPLE*>(rows.data()) + y * width * layout.channels);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string out(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return out;
}

#else

inline bool has_jpeg() { return false; }
inline std::string jpeg_bytes(int64_t, int64_t, const std::string&, const JpegLayout& = {}) { return ""; }

#endif

#define LOOKBACK_NEEDS_JPEG() \
  if (!has_jpeg()) GTEST_SKIP() << "there is no libjpeg"

inline std::string jpeg_bytes(const Image& image, const JpegLayout& layout = {}) {
  return jpeg_bytes(image.height, image.width, {image.rgb.begin(), image.rgb.end()}, layout);
}

// A TIFF of one directory with the tag Orientation behind another one.
inline std::string exif_tiff(int orientation, bool little = true) {
  const auto number = [&](uint32_t value, int bytes) {
    std::string out;
    for (int k = 0; k < bytes; ++k) out += static_cast<char>(value >> (8 * (little ? k : bytes - 1 - k)));
    return out;
  };
  const auto u = static_cast<uint32_t>(orientation);
  return (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(2, 2) +  //
         number(0x010F, 2) + number(2, 2) + number(4, 4) + "abc" + '\0' +        //
         number(0x0112, 2) + number(3, 2) + number(1, 4) + number(u, 2) + number(0, 2) + number(0, 4);
}
inline std::string exif_app1(const std::string& tiff) { return std::string("Exif\0\0", 6) + tiff; }

inline double largest_difference(const Image& a, const Image& b) {
  if (a.height != b.height || a.width != b.width) return 1e9;
  int out = 0;
  for (size_t k = 0; k < a.rgb.size(); ++k) out = std::max(out, std::abs(int{a.rgb[k]} - int{b.rgb[k]}));
  return out;
}

}  // namespace lookback::picture
