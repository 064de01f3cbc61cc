#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "lookback/base/error.h"
#include "lookback/picture/image_parts.h"

namespace lookback::picture {
namespace {

class Decoder {
 public:
  Decoder(std::string_view bytes, const std::string& name) : name_(name), left_(bytes) {
    png_ = png_create_read_struct(
        PNG_LIBPNG_VER_STRING, this, [](png_structp png, png_const_charp why) { of(png_get_error_ptr(png)).stop(why); },
        [](png_structp, png_const_charp) {});
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) png_destroy_read_struct(&png_, &info_, nullptr);
    check<FormatError>(png_ != nullptr, name_, ": libpng is not the version that this was built with");
    png_set_read_fn(png_, this, [](png_structp png, png_bytep out, size_t n) {
      std::string_view& left = of(png_get_io_ptr(png)).left_;
      if (n > left.size()) png_error(png, "the file ends early");
      std::memcpy(out, left.data(), n);
      left.remove_prefix(n);
    });
  }
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Calls what returns by longjmp when it fails: nothing in there may need a destructor.
  template <class F>
  [[gnu::noinline]] void step(F f) {
    if (setjmp(jump_) == 0)
      f(png_, info_);
    else
      throw FormatError(str_cat(name_, ": damaged or cut short: ", message_));
  }

 private:
  static Decoder& of(png_voidp p) { return *static_cast<Decoder*>(p); }
  [[noreturn]] void stop(const char* why) {
    std::snprintf(message_, sizeof message_, "%s", why);
    std::longjmp(jump_, 1);
  }

  std::string name_;
  std::string_view left_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  char message_[200] = "";
};

int64_t number_at(std::string_view bytes, size_t at) {
  int64_t out = 0;
  for (const char c : bytes.substr(at, 4)) out = out << 8 | static_cast<unsigned char>(c);
  return out;
}

// `n` pixels of red, green, blue and opacity over white.
void over_white(const uint8_t* rgba, int64_t n, uint8_t* rgb) {
  for (int64_t k = 0; k < n; ++k, rgba += 4, rgb += 3)
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>((rgba[c] * rgba[3] + 255 * (255 - rgba[3]) + 127) / 255);
}

}  // namespace

Image read_png(std::string_view bytes, const ImageLimits& limits, const std::string& name) {
  // The first chunk begins with the size, and libpng reads on until the pixels before it tells.
  check<FormatError>(bytes.size() >= 24 && bytes.substr(12, 4) == "IHDR", name,
                     ": damaged or cut short: there is no header");
  const int64_t height = number_at(bytes, 20), width = number_at(bytes, 16);
  check_size(height, width, limits, name);
  Decoder decoder(bytes, name);
  decoder.step([&](png_structp png, png_infop info) {
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // ours are those above
    png_read_info(png, info);
  });
  bool interlaced = false;
  decoder.step([&](png_structp png, png_infop info) {
    png_set_expand(png);    // palettes, fewer than 8 bits, transparent colours
    png_set_scale_16(png);  // rounds, where strip_16 cuts
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);
    interlaced = png_set_interlace_handling(png) > 1;
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != static_cast<size_t>(width) * 4) png_error(png, "an unknown kind of pixels");
  });

  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
  if (interlaced) {
    std::vector<uint8_t> rgba(static_cast<size_t>(height * width * 4));
    std::vector<png_bytep> rows;
    for (int64_t y = 0; y < height; ++y) rows.push_back(rgba.data() + y * width * 4);
    decoder.step([&](png_structp png, png_infop) { png_read_image(png, rows.data()); });
    over_white(rgba.data(), height * width, out.rgb.data());
  } else {
    std::vector<uint8_t> row(static_cast<size_t>(width * 4));
    for (int64_t y = 0; y < height; ++y) {
      decoder.step([&](png_structp png, png_infop) { png_read_row(png, row.data(), nullptr); });
      over_white(row.data(), width, out.rgb.data() + y * width * 3);
    }
  }
  int orientation = 1;
  decoder.step([&](png_structp png, png_infop info) {
    png_read_end(png, info);
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png, info, &size, &exif) != 0)
      orientation = exif_orientation({reinterpret_cast<const char*>(exif), size});
#endif
  });
  return oriented(std::move(out), orientation);
}

}  // namespace lookback::picture
