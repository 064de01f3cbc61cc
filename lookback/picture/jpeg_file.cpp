#include "lookback/base/error.h"
#include "lookback/base/late_library.h"
#include "lookback/picture/image_parts.h"

#ifdef LOOKBACK_JPEG

// jpeglib.h needs size_t and FILE, and says so nowhere.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
//
#include <jpeglib.h>
//
#include <jerror.h>

#include <algorithm>

namespace lookback::picture {
namespace {

using namespace std::literals;

const LateLibrary& jpeg() {
  static const LateLibrary library(JPEG_LIB_VERSION >= 80 ? "libjpeg.so.8" : "libjpeg.so.62", "a JPEG picture",
                                   "libjpeg62-turbo, Ubuntu: libjpeg-turbo8");
  return library;
}

// Each stands for the function of the same name.
#define LOOKBACK_LATE(function) constexpr LateFunction<jpeg, decltype(::function)> function{#function};
LOOKBACK_LATE(jpeg_CreateDecompress)
LOOKBACK_LATE(jpeg_destroy_decompress)
LOOKBACK_LATE(jpeg_finish_decompress)
LOOKBACK_LATE(jpeg_mem_src)
LOOKBACK_LATE(jpeg_read_header)
LOOKBACK_LATE(jpeg_read_scanlines)
LOOKBACK_LATE(jpeg_save_markers)
LOOKBACK_LATE(jpeg_start_decompress)
LOOKBACK_LATE(jpeg_std_error)
#undef LOOKBACK_LATE

// A few bytes can ask for any number of passes over the whole picture; no encoder makes half as many.
constexpr int kMostScans = 200;

bool is_harmless(int warning) {
  return warning == JWRN_EXTRANEOUS_DATA || warning == JWRN_ADOBE_XFORM || warning == JWRN_JFIF_MAJOR ||
         warning == JWRN_BOGUS_PROGRESSION || warning == JWRN_TOO_MUCH_DATA;
}

class Decoder {
 public:
  explicit Decoder(const std::string& name) : name_(name) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr c) { of(c).stop(); };
    errors_.emit_message = [](j_common_ptr c, int level) {
      if (level < 0 && !is_harmless(c->err->msg_code)) of(c).stop();
    };
    info_.client_data = this;
    progress_.progress_monitor = [](j_common_ptr c) {
      if (reinterpret_cast<j_decompress_ptr>(c)->input_scan_number > kMostScans) of(c).stop("too many scans");
    };
  }
  ~Decoder() {
    if (created_) jpeg_destroy_decompress(&info_);
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  void read_header(std::string_view bytes) {
    step([&] {
      jpeg_create_decompress(&info_);
      created_ = true;
      info_.progress = &progress_;
      jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);  // EXIF
      jpeg_read_header(&info_, TRUE);
    });
  }

  // Calls what returns by longjmp when it fails: nothing in there may need a destructor.
  template <class F>
  [[gnu::noinline]] void step(F f) {
    if (setjmp(jump_) == 0)
      f();
    else
      throw FormatError(str_cat(name_, ": damaged or cut short: ", message_));
  }

  jpeg_decompress_struct& info() { return info_; }

 private:
  static Decoder& of(j_common_ptr c) { return *static_cast<Decoder*>(c->client_data); }
  [[noreturn]] void stop(const char* why = nullptr) {
    if (why)
      std::snprintf(message_, sizeof message_, "%s", why);
    else
      errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), message_);
    std::longjmp(jump_, 1);
  }

  std::string name_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
  bool created_ = false;
  char message_[JMSG_LENGTH_MAX] = "";
};

int orientation_of(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif = "Exif\0\0"sv;
  for (jpeg_saved_marker_ptr m = info.marker_list; m; m = m->next) {
    const std::string_view data(reinterpret_cast<const char*>(m->data), m->data_length);
    if (m->marker == JPEG_APP0 + 1 && data.starts_with(kExif)) return exif_orientation(data.substr(kExif.size()));
  }
  return 1;
}

// The largest divisor whose picture still has the side that is wanted.
unsigned scale_of(int64_t shorter, int64_t wanted) {
  unsigned out = 1;
  if (wanted > 0)
    while (out < 8 && (shorter + 2 * out - 1) / (2 * out) >= wanted) out *= 2;
  return out;
}

}  // namespace

Image read_jpeg(std::string_view bytes, const ImageLimits& limits, const std::string& name) {
  Decoder decoder(name);
  decoder.read_header(bytes);
  jpeg_decompress_struct& info = decoder.info();
  const int64_t height = info.image_height, width = info.image_width;
  check_size(height, width, limits, name);
  const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  check<FormatError>(cmyk || info.jpeg_color_space == JCS_GRAYSCALE || info.jpeg_color_space == JCS_RGB ||
                         info.jpeg_color_space == JCS_YCbCr,
                     name, ": a JPEG of ", info.num_components, " unknown channels; write grey or RGB");
  const int orientation = orientation_of(info);
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  info.scale_num = 1;
  info.scale_denom = scale_of(std::min(height, width), limits.shortest_side);
  decoder.step([&] { jpeg_start_decompress(&info); });

  Image out{info.output_height, info.output_width, {}};
  out.rgb.resize(static_cast<size_t>(out.height * out.width * 3));
  std::vector<uint8_t> row(cmyk ? static_cast<size_t>(out.width * 4) : 0);
  const bool inverted = info.saw_Adobe_marker;  // as every program that writes CMYK has it since Photoshop did
  for (int64_t y = 0; y < out.height; ++y) {
    uint8_t* to = out.rgb.data() + y * out.width * 3;
    JSAMPROW target = cmyk ? row.data() : to;
    decoder.step([&] { jpeg_read_scanlines(&info, &target, 1); });
    for (int64_t x = 0; cmyk && x < out.width; ++x)
      for (int64_t c = 0; c < 3; ++c) {
        const uint8_t ink = row[static_cast<size_t>(4 * x + c)], black = row[static_cast<size_t>(4 * x + 3)];
        to[3 * x + c] = static_cast<uint8_t>((inverted ? ink * black : (255 - ink) * (255 - black)) / 255);
      }
  }
  decoder.step([&] { jpeg_finish_decompress(&info); });
  return oriented(std::move(out), orientation);
}

}  // namespace lookback::picture

#else

namespace lookback::picture {

Image read_jpeg(std::string_view, const ImageLimits&, const std::string& name) {
  throw FormatError(str_cat(name, ": this build reads no JPEG; install libjpeg-dev and build again, or write PNG"));
}

}  // namespace lookback::picture

#endif
