#include "lookback/picture/image_file.h"

#include <gtest/gtest.h>

#include <functional>

#include "lookback/base/error.h"
#include "lookback/io/temp_folder.h"
#include "lookback/picture/image_parts.h"
#include "lookback/picture/testing.h"

namespace lookback::picture {
namespace {

using namespace std::literals;

std::string refusal(const std::string& path, const ImageLimits& limits = {}) {
  try {
    read_image(path, limits);
  } catch (const FormatError& e) {
    const std::string out = e.what();
    EXPECT_EQ(out.find('\n'), out.npos) << out;
    EXPECT_TRUE(out.starts_with(path + ": ")) << out;
    return out.substr(std::min(out.size(), path.size() + 2));
  }
  return "read";
}

Image grey(const Image& image) {
  Image out = image;
  for (size_t k = 0; k < out.rgb.size(); k += 3) out.rgb[k + 1] = out.rgb[k + 2] = out.rgb[k];
  return out;
}
std::string first_channel(const Image& image) {
  std::string out;
  for (size_t k = 0; k < image.rgb.size(); k += 3) out += static_cast<char>(image.rgb[k]);
  return out;
}

std::string big_endian(uint32_t value) {
  std::string out;
  for (int k = 3; k >= 0; --k) out += static_cast<char>(value >> (8 * k));
  return out;
}
// The header of a PNG that says it is that large, with its checksum.
std::string png_head(uint32_t width, uint32_t height) {
  const std::string body = "IHDR" + big_endian(width) + big_endian(height) + "\x08\x02\0\0\0"s;
  uint32_t crc = ~0u;
  for (const char c : body) {
    crc ^= static_cast<unsigned char>(c);
    for (int k = 0; k < 8; ++k) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
  }
  return "\x89PNG\r\n\x1A\n"s + big_endian(13) + body + big_endian(~crc);
}

TEST(ImageFile, Png) {
  const io::TempFolder folder;
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {1, 7}, {9, 1}, {23, 31}})
    for (const bool interlaced : {false, true}) {
      const Image image = noise(height, width, 1);
      EXPECT_EQ(read_image(folder.file("a.png", png_bytes(image, {.interlaced = interlaced}))), image);
    }
}

TEST(ImageFile, EveryKindOfPng) {
  const io::TempFolder folder;
  const auto read = [&](int64_t height, int64_t width, const std::string& rows, const PngLayout& layout) {
    return read_image(folder.file("a.png", png_bytes(height, width, rows, layout))).rgb;
  };
  using Bytes = std::vector<uint8_t>;
  const std::string palette = "\x10\x20\x30\xFF\x00\x80"s;
  EXPECT_EQ(read(1, 2, "\x40", {.color = PNG_COLOR_TYPE_PALETTE, .bits = 1, .palette = palette}),
            (Bytes{0x10, 0x20, 0x30, 0xFF, 0, 0x80}));
  // The first colour is clear, the second half so.
  EXPECT_EQ(
      read(1, 2, "\0\1"s, {.color = PNG_COLOR_TYPE_PALETTE, .bits = 8, .palette = palette, .transparency = "\0\x80"s}),
      (Bytes{255, 255, 255, 255, 127, 191}));
  EXPECT_EQ(read(1, 2, "\x80"s, {.color = PNG_COLOR_TYPE_GRAY, .bits = 1}), (Bytes{255, 255, 255, 0, 0, 0}));
  EXPECT_EQ(read(1, 2, "\x1B"s, {.color = PNG_COLOR_TYPE_GRAY, .bits = 4}), (Bytes{17, 17, 17, 187, 187, 187}));
  EXPECT_EQ(read(1, 2, "\x05\xFF\x64\x80"s, {.color = PNG_COLOR_TYPE_GRAY_ALPHA}), (Bytes{5, 5, 5, 177, 177, 177}));
  EXPECT_EQ(read(1, 2, "\1\2\3\0\1\2\3\xFF"s, {.color = PNG_COLOR_TYPE_RGB_ALPHA}), (Bytes{255, 255, 255, 1, 2, 3}));
  EXPECT_EQ(read(1, 2, "\1\2\3\1\2\4"s, {.transparency = "\1\2\3"}), (Bytes{255, 255, 255, 1, 2, 4}));
  // 0x01FF of 0xFFFF is 1.99 of 255.
  EXPECT_EQ(read(1, 1, "\x01\xFF\x80\x00\xFF\xFE"s, {.bits = 16}), (Bytes{2, 128, 255}));
  EXPECT_EQ(read(1, 1, "\x00\x81"s, {.color = PNG_COLOR_TYPE_GRAY, .bits = 16}), (Bytes{1, 1, 1}));
}

TEST(ImageFile, Jpeg) {
  LOOKBACK_NEEDS_JPEG();
  const io::TempFolder folder;
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {1, 9}, {40, 61}})
    for (const bool progressive : {false, true}) {
      const Image image = drawing(height, width);
      const std::string path = folder.file("a.jpg", jpeg_bytes(image, {.progressive = progressive}));
      EXPECT_LE(largest_difference(read_image(path), image), 40) << height;  // at the one edge it has
      EXPECT_LE(largest_difference(grey(read_image(path)), grey(image)), 16) << height;
    }
}

TEST(ImageFile, JpegGreyAndCmyk) {
  LOOKBACK_NEEDS_JPEG();
  const io::TempFolder folder;
  const Image image = grey(drawing(30, 20));
  const std::string path = folder.file("a.jpg", jpeg_bytes(30, 20, first_channel(image), {.channels = 1}));
  EXPECT_LE(largest_difference(read_image(path), image), 4);
  // Ink: none; all of one; black. libjpeg marks CMYK as Adobe does, inverted.
  const std::string white = "\xFF\xFF\xFF\xFF", red = "\xFF\0\0\xFF"s, black = "\xFF\xFF\xFF\0"s;
  std::string rows;
  for (const std::string& pixel : {white, red, black})
    for (int k = 0; k < 64; ++k) rows += pixel;
  const Image out = read_image(folder.file("b.jpg", jpeg_bytes(24, 8, rows, {.channels = 4})));
  const Image want = [] {
    Image w{24, 8, std::vector<uint8_t>(24 * 8 * 3)};
    for (size_t k = 0; k < w.rgb.size(); ++k) w.rgb[k] = k < 192 || (k < 384 && k % 3 == 0) ? 255 : 0;
    return w;
  }();
  EXPECT_LE(largest_difference(out, want), 3);
}

TEST(ImageFile, JpegAtAPartOfItsSize) {
  LOOKBACK_NEEDS_JPEG();
  const io::TempFolder folder;
  const std::string path = folder.file("a.jpg", jpeg_bytes(drawing(100, 161)));
  const auto size = [&](int64_t side) {
    const Image image = read_image(path, {.shortest_side = side});
    return std::pair(image.height, image.width);
  };
  EXPECT_EQ(size(0), std::pair(int64_t{100}, int64_t{161}));
  EXPECT_EQ(size(51), std::pair(int64_t{100}, int64_t{161}));
  EXPECT_EQ(size(50), std::pair(int64_t{50}, int64_t{81}));
  EXPECT_EQ(size(20), std::pair(int64_t{25}, int64_t{41}));
  EXPECT_EQ(size(1), std::pair(int64_t{13}, int64_t{21}));
  const Image small = read_image(path, {.shortest_side = 50});
  EXPECT_NEAR(small.at(40, 10)[0], drawing(100, 161).at(80, 20)[0], 6);
}

// What stands at each place of the picture that is seen, for one stored with each orientation: EXIF 2.3, table 6.
TEST(ImageFile, AllEightOrientations) {
  LOOKBACK_NEEDS_JPEG();
  const int64_t h = 5, w = 3;
  const Image stored = noise(h, w, 3);
  using Place = std::function<std::pair<int64_t, int64_t>(int64_t, int64_t)>;
  // Row 0 and column 0 of the stored picture are seen at the ... : top left, top right, bottom right, bottom left, left
  // top, right top, right bottom, left bottom. So a stored place (r, c) is seen at:
  const Place seen[] = {
      [&](auto r, auto c) { return std::pair(r, c); },
      [&](auto r, auto c) { return std::pair(r, w - 1 - c); },
      [&](auto r, auto c) { return std::pair(h - 1 - r, w - 1 - c); },
      [&](auto r, auto c) { return std::pair(h - 1 - r, c); },
      [&](auto r, auto c) { return std::pair(c, r); },
      [&](auto r, auto c) { return std::pair(c, h - 1 - r); },
      [&](auto r, auto c) { return std::pair(w - 1 - c, h - 1 - r); },
      [&](auto r, auto c) { return std::pair(w - 1 - c, r); },
  };
  const io::TempFolder folder;
  for (int k = 1; k <= 8; ++k)
    for (const bool little : {true, false}) {
      const std::string tiff = exif_tiff(k, little);
      EXPECT_EQ(exif_orientation(tiff), k);
      const Image out = read_image(folder.file("a.png", png_bytes(stored, {.exif = tiff})));
      ASSERT_EQ(out.height, k >= 5 ? w : h);
      ASSERT_EQ(out.width, k >= 5 ? h : w);
      for (int64_t r = 0; r < h; ++r)
        for (int64_t c = 0; c < w; ++c) {
          const auto [y, x] = seen[k - 1](r, c);
          for (int channel = 0; channel < 3; ++channel) EXPECT_EQ(out.at(y, x)[channel], stored.at(r, c)[channel]) << k;
        }
      // The same of a JPEG, also when it is decoded smaller.
      const std::string path = folder.file("a.jpg", jpeg_bytes(drawing(64, 32), {.app1 = exif_app1(tiff)}));
      const Image plain = read_image(folder.file("b.jpg", jpeg_bytes(drawing(64, 32))));
      EXPECT_EQ(read_image(path), oriented(plain, k));
      EXPECT_EQ(read_image(path, {.shortest_side = 8}).height, k >= 5 ? 8 : 16);
    }
}

TEST(ImageFile, DamagedExifIsNone) {
  LOOKBACK_NEEDS_JPEG();
  const std::string good = exif_tiff(6);
  for (size_t n = 0; n < good.size(); ++n) {
    const int got = exif_orientation(std::string_view(good).substr(0, n));
    EXPECT_EQ(got, n >= 34 ? 6 : 1) << n;  // the entry is whole
  }
  Rng rng(5);
  for (int trial = 0; trial < 20000; ++trial) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[rng.next() % bad.size()] = static_cast<char>(rng.next() >> 8);
    const int got = exif_orientation(bad);
    EXPECT_TRUE(got >= 1 && got <= 8);
  }
  EXPECT_EQ(exif_orientation(exif_tiff(0)), 1);
  EXPECT_EQ(exif_orientation(exif_tiff(9)), 1);
  EXPECT_EQ(exif_orientation(""), 1);
  const io::TempFolder folder;
  const Image plain = drawing(16, 8);
  const std::string path = folder.file("a.jpg", jpeg_bytes(plain, {.app1 = exif_app1(good.substr(0, 20))}));
  EXPECT_EQ(read_image(path).height, 16);
}

TEST(ImageFile, SizesAreRefusedBeforeDecoding) {
  LOOKBACK_NEEDS_JPEG();
  const io::TempFolder folder;
  EXPECT_EQ(refusal(folder.file("a.png", png_head(30000, 30000))),
            "30000 x 30000 pixels are more than the limit of 50.0 million; make it smaller first");
  EXPECT_EQ(refusal(folder.file("b.png", png_head(65535, 21845))),  // 4 GB
            "65535 x 21845 pixels are more than the limit of 50.0 million; make it smaller first");
  EXPECT_EQ(refusal(folder.file("c.png", png_head(0x7FFFFFFF, 0x7FFFFFFF))).substr(0, 38),
            "2147483647 x 2147483647 pixels are mor");
  std::string jpeg = jpeg_bytes(drawing(8, 8));
  const size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, jpeg.npos);
  jpeg.replace(frame + 5, 4, "\x75\x30\x75\x30");
  EXPECT_EQ(refusal(folder.file("a.jpg", jpeg)),
            "30000 x 30000 pixels are more than the limit of 50.0 million; make it smaller first");
  jpeg.replace(frame + 5, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_NE(refusal(folder.file("a.jpg", jpeg)), "read");
  const std::string fine = folder.file("d.png", png_bytes(drawing(10, 10)));
  EXPECT_EQ(refusal(fine, {.pixels = 100}), "read");
  EXPECT_EQ(refusal(fine, {.pixels = 99}),
            "10 x 10 pixels are more than the limit of 0.0 million; make it smaller first");
  EXPECT_NE(refusal(fine, {.bytes = 50}), "read");
}

TEST(ImageFile, CutShort) {
  LOOKBACK_NEEDS_JPEG();
  const io::TempFolder folder;
  const Image image = noise(32, 32, 1);
  for (const bool progressive : {false, true}) {
    const std::string jpeg = jpeg_bytes(image, {.progressive = progressive});
    for (size_t n = 4; n < jpeg.size(); n += 97)
      EXPECT_TRUE(refusal(folder.file("a.jpg", jpeg.substr(0, n))).starts_with("damaged or cut short: ")) << n;
    EXPECT_TRUE(refusal(folder.file("a.jpg", jpeg.substr(0, jpeg.size() - 2))).starts_with("damaged or cut short: "));
  }
  for (const bool interlaced : {false, true}) {
    const std::string png = png_bytes(image, {.interlaced = interlaced});
    EXPECT_EQ(refusal(folder.file("a.png", png.substr(0, 20))), "damaged or cut short: there is no header");
    for (size_t n = 24; n < png.size(); n += 97)
      EXPECT_EQ(refusal(folder.file("a.png", png.substr(0, n))), "damaged or cut short: the file ends early") << n;
    EXPECT_EQ(refusal(folder.file("a.png", png.substr(0, png.size() - 1))),
              "damaged or cut short: the file ends early");
  }
}

// Whatever is changed, it is read or refused in one line, and leaks nothing (under sanitizers).
TEST(ImageFile, Changed) {
  LOOKBACK_NEEDS_JPEG();
  const io::TempFolder folder;
  const Image image = drawing(24, 24);
  const std::string files[] = {jpeg_bytes(image, {.app1 = exif_app1(exif_tiff(6))}),
                               jpeg_bytes(image, {.progressive = true}), png_bytes(image),
                               png_bytes(image, {.interlaced = true})};
  Rng rng(7);
  int refused = 0;
  for (int trial = 0; trial < 1200; ++trial) {
    std::string bytes = files[trial % 4];
    for (int k = 0; k < 1 + trial % 3; ++k) bytes[rng.next() % bytes.size()] = static_cast<char>(rng.next() >> 8);
    refused += refusal(folder.file("a", bytes), {.pixels = 1'000'000}) != "read";
  }
  EXPECT_GT(refused, 300);
}

TEST(ImageFile, OtherFormatsByName) {
  const io::TempFolder folder;
  const auto says = [&](const std::string& bytes) { return refusal(folder.file("a.jpg", bytes)); };
  EXPECT_EQ(says("GIF89a..."), "GIF cannot be read; write JPEG or PNG");
  EXPECT_EQ(says("RIFF\x10\0\0\0WEBPVP8 "s), "WebP cannot be read; write JPEG or PNG");
  EXPECT_EQ(says("BM......"), "BMP cannot be read; write JPEG or PNG");
  EXPECT_EQ(says("II*\0...."s), "TIFF cannot be read; write JPEG or PNG");
  EXPECT_EQ(says("\0\0\0\x18"
                 "ftypheic"s),
            "HEIF cannot be read; write JPEG or PNG");
  EXPECT_EQ(says("\0\0\0\x18"
                 "ftypavif"s),
            "AVIF cannot be read; write JPEG or PNG");
  EXPECT_EQ(says("a dog runs\n"), "neither JPEG nor PNG, but text; write JPEG or PNG");
  EXPECT_EQ(says("\1\2\3\4"), "neither JPEG nor PNG by its first bytes; write JPEG or PNG");
  EXPECT_EQ(says("\xFF\xD8"), "neither JPEG nor PNG by its first bytes; write JPEG or PNG");
  EXPECT_EQ(says(""), "an empty file, no picture");
  EXPECT_THROW(read_image(folder / "missing.jpg"), IoError);
  EXPECT_THROW(read_image(folder.path()), IoError);
}

// An animated PNG is a PNG with chunks that say how to go on.
TEST(ImageFile, OfAnAnimationTheFirst) {
  const io::TempFolder folder;
  const Image image = noise(6, 6, 2);
  std::string png = png_bytes(image);
  const auto chunk = [](const std::string& type, const std::string& body) {
    std::string all = type + body;
    uint32_t crc = ~0u;
    for (const char c : all) {
      crc ^= static_cast<unsigned char>(c);
      for (int k = 0; k < 8; ++k) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    }
    return big_endian(static_cast<uint32_t>(body.size())) + all + big_endian(~crc);
  };
  png.insert(png.find("IDAT") - 4, chunk("acTL", big_endian(2) + big_endian(0)));
  png.insert(png.find("IEND") - 4, chunk("fdAT", big_endian(2) + "whatever"));
  EXPECT_EQ(read_image(folder.file("a.png", png)), image);
}

}  // namespace
}  // namespace lookback::picture
