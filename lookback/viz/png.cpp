#include "lookback/viz/figure.h"

#ifdef LOOKBACK_PANGOCAIRO

#include <dlfcn.h>
#include <pango/pangocairo.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>

#include "lookback/base/error.h"
#include "lookback/viz/marks.h"
#include "lookback/viz/picture.h"

namespace lookback::viz {
namespace {

constexpr const char* kPangoCairo = "libpangocairo-1.0.so.0";

// Pango and Cairo are loaded when the first picture is drawn: the thirty libraries behind them take longer to
// load than a sentence to translate. Null if they cannot be.
void* pango_cairo() {
  static void* const library = ::dlopen(kPangoCairo, RTLD_LAZY | RTLD_LOCAL);
  return library;
}

template <class F>
struct Late;
template <class R, class... A>
struct Late<R(A...)> {
  const char* name;

  R operator()(A... arguments) const {
    void* const found = pango_cairo() ? ::dlsym(pango_cairo(), name) : nullptr;
    check<Error>(found != nullptr, "png: ", kPangoCairo, " cannot be loaded or lacks ", name,
                 "; install Pango (Debian: libpangocairo-1.0-0) or write svg");
    return reinterpret_cast<R (*)(A...)>(found)(arguments...);
  }
};

// Each stands for the function of the same name.
#define LOOKBACK_LATE(function) constexpr Late<decltype(::function)> function{#function};
LOOKBACK_LATE(cairo_close_path)
LOOKBACK_LATE(cairo_create)
LOOKBACK_LATE(cairo_destroy)
LOOKBACK_LATE(cairo_fill)
LOOKBACK_LATE(cairo_get_source)
LOOKBACK_LATE(cairo_image_surface_create)
LOOKBACK_LATE(cairo_image_surface_get_data)
LOOKBACK_LATE(cairo_image_surface_get_stride)
LOOKBACK_LATE(cairo_line_to)
LOOKBACK_LATE(cairo_move_to)
LOOKBACK_LATE(cairo_paint)
LOOKBACK_LATE(cairo_pattern_set_extend)
LOOKBACK_LATE(cairo_rectangle)
LOOKBACK_LATE(cairo_restore)
LOOKBACK_LATE(cairo_rotate)
LOOKBACK_LATE(cairo_save)
LOOKBACK_LATE(cairo_scale)
LOOKBACK_LATE(cairo_set_antialias)
LOOKBACK_LATE(cairo_set_dash)
LOOKBACK_LATE(cairo_set_line_cap)
LOOKBACK_LATE(cairo_set_line_join)
LOOKBACK_LATE(cairo_set_line_width)
LOOKBACK_LATE(cairo_set_source_rgb)
LOOKBACK_LATE(cairo_set_source_rgba)
LOOKBACK_LATE(cairo_set_source_surface)
LOOKBACK_LATE(cairo_status)
LOOKBACK_LATE(cairo_status_to_string)
LOOKBACK_LATE(cairo_stroke)
LOOKBACK_LATE(cairo_surface_destroy)
LOOKBACK_LATE(cairo_surface_flush)
LOOKBACK_LATE(cairo_surface_mark_dirty)
LOOKBACK_LATE(cairo_surface_status)
LOOKBACK_LATE(cairo_surface_write_to_png_stream)
LOOKBACK_LATE(cairo_translate)
LOOKBACK_LATE(g_free)
LOOKBACK_LATE(g_object_unref)
LOOKBACK_LATE(pango_attr_foreground_new)
LOOKBACK_LATE(pango_attr_list_insert)
LOOKBACK_LATE(pango_attr_list_new)
LOOKBACK_LATE(pango_attr_list_unref)
LOOKBACK_LATE(pango_cairo_create_layout)
LOOKBACK_LATE(pango_cairo_font_map_get_default)
LOOKBACK_LATE(pango_cairo_show_layout)
LOOKBACK_LATE(pango_cairo_update_layout)
LOOKBACK_LATE(pango_font_description_free)
LOOKBACK_LATE(pango_font_description_from_string)
LOOKBACK_LATE(pango_font_description_set_absolute_size)
LOOKBACK_LATE(pango_font_description_set_weight)
LOOKBACK_LATE(pango_font_map_list_families)
LOOKBACK_LATE(pango_layout_get_baseline)
LOOKBACK_LATE(pango_layout_get_size)
LOOKBACK_LATE(pango_layout_set_attributes)
LOOKBACK_LATE(pango_layout_set_auto_dir)
LOOKBACK_LATE(pango_layout_set_font_description)
LOOKBACK_LATE(pango_layout_set_single_paragraph_mode)
LOOKBACK_LATE(pango_layout_set_text)
#undef LOOKBACK_LATE

template <const auto& free>
struct Free {
  void operator()(auto* p) const { free(p); }
};
using Surface = std::unique_ptr<cairo_surface_t, Free<cairo_surface_destroy>>;
using Canvas = std::unique_ptr<cairo_t, Free<cairo_destroy>>;
using Layout = std::unique_ptr<PangoLayout, Free<g_object_unref>>;
using Font = std::unique_ptr<PangoFontDescription, Free<pango_font_description_free>>;

constexpr double kMostPixels = 32000;  // the largest side Cairo draws on, rounded down

void set_color(cairo_t* c, Rgb rgb) { cairo_set_source_rgb(c, rgb.r / 255.0, rgb.g / 255.0, rgb.b / 255.0); }

void add(cairo_t* c, const Box& b) {
  set_color(c, b.fill);
  cairo_rectangle(c, b.x, b.y, b.width, b.height);
  cairo_fill(c);
}

void add(cairo_t* c, const Raster& r) {
  const double width = r.width / static_cast<double>(r.columns), height = r.height / static_cast<double>(r.rows);
  for_runs(r, [&](int64_t row, int64_t begin, int64_t end, uint8_t level) {
    set_color(c, r.colors[level]);
    cairo_rectangle(c, r.x + static_cast<double>(begin) * width, r.y + static_cast<double>(row) * height,
                    static_cast<double>(end - begin) * width, height);
    cairo_fill(c);
  });
}

void check_cairo(cairo_status_t status) {
  check<Error>(status == CAIRO_STATUS_SUCCESS, "png: ", cairo_status_to_string(status));
}

void add(cairo_t* c, const Image& image) {
  const Pixels& p = image.pixels;
  const Surface surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(p.columns), static_cast<int>(p.rows)));
  check_cairo(cairo_surface_status(surface.get()));
  cairo_surface_flush(surface.get());
  unsigned char* const data = cairo_image_surface_get_data(surface.get());
  const int64_t stride = cairo_image_surface_get_stride(surface.get());
  for (int64_t y = 0; y < p.rows; ++y)
    for (int64_t x = 0; x < p.columns; ++x) {
      const uint8_t* rgb = p.rgb.data() + (y * p.columns + x) * 3;
      const uint32_t pixel = static_cast<uint32_t>(rgb[0]) << 16 | static_cast<uint32_t>(rgb[1]) << 8 | rgb[2];
      std::memcpy(data + y * stride + x * 4, &pixel, sizeof pixel);
    }
  cairo_surface_mark_dirty(surface.get());
  cairo_save(c);
  cairo_translate(c, image.x, image.y);
  cairo_scale(c, image.width / static_cast<double>(p.columns), image.height / static_cast<double>(p.rows));
  cairo_set_source_surface(c, surface.get(), 0, 0);
  cairo_pattern_set_extend(cairo_get_source(c), CAIRO_EXTEND_PAD);  // no edge fades into nothing
  cairo_rectangle(c, 0, 0, static_cast<double>(p.columns), static_cast<double>(p.rows));
  cairo_fill(c);
  cairo_restore(c);
}

void add(cairo_t* c, const Path& p) {
  cairo_set_source_rgba(c, p.color.r / 255.0, p.color.g / 255.0, p.color.b / 255.0, p.opacity);
  for (const std::vector<Point>& run : p.runs) {
    for (size_t k = 0; k < run.size(); ++k)
      k ? cairo_line_to(c, run[k].x, run[k].y) : cairo_move_to(c, run[k].x, run[k].y);
    if (p.width == 0)
      cairo_close_path(c);
    else if (run.size() == 1)
      cairo_line_to(c, run[0].x, run[0].y);  // round ends make a dot of it
  }
  if (p.width == 0) return cairo_fill(c);
  cairo_set_line_width(c, p.width);
  cairo_set_line_cap(c, CAIRO_LINE_CAP_ROUND);
  cairo_set_line_join(c, CAIRO_LINE_JOIN_ROUND);
  cairo_set_dash(c, p.dashes.data(), static_cast<int>(p.dashes.size()), 0);
  cairo_stroke(c);
}

void add(cairo_t* c, const Line& l) {
  constexpr double kDash[] = {4, 4};
  set_color(c, l.color);
  cairo_set_line_width(c, 1);
  cairo_set_line_cap(c, CAIRO_LINE_CAP_BUTT);
  cairo_set_dash(c, kDash, 2, 0);
  cairo_move_to(c, l.x1, l.y1);
  cairo_line_to(c, l.x2, l.y2);
  cairo_stroke(c);
}

PangoAttribute* color_attribute(Rgb rgb, size_t begin, size_t end) {
  const auto wide = [](uint8_t v) { return static_cast<guint16>(v * 257); };
  PangoAttribute* a = pango_attr_foreground_new(wide(rgb.r), wide(rgb.g), wide(rgb.b));
  a->start_index = static_cast<guint>(begin), a->end_index = static_cast<guint>(end);
  return a;
}

void add(cairo_t* c, PangoLayout* layout, const Label& l) {
  const Font font(pango_font_description_from_string("Sans"));
  pango_font_description_set_absolute_size(font.get(), l.size * PANGO_SCALE);
  if (l.bold) pango_font_description_set_weight(font.get(), PANGO_WEIGHT_BOLD);
  pango_layout_set_font_description(layout, font.get());
  std::string words;
  PangoAttrList* colors = pango_attr_list_new();
  for (const Span& s : l.spans) {
    pango_attr_list_insert(colors, color_attribute(s.color, words.size(), words.size() + s.text.size()));
    words += s.text;
  }
  pango_layout_set_text(layout, words.data(), static_cast<int>(words.size()));
  pango_layout_set_attributes(layout, colors);
  pango_attr_list_unref(colors);
  int width = 0;
  pango_layout_get_size(layout, &width, nullptr);
  const double shift = l.align == Align::start ? 0 : l.align == Align::middle ? 0.5 : 1;
  cairo_save(c);
  cairo_translate(c, l.x, l.y);
  cairo_rotate(c, l.angle * std::numbers::pi / 180);
  cairo_move_to(c, -shift * width / PANGO_SCALE, -static_cast<double>(pango_layout_get_baseline(layout)) / PANGO_SCALE);
  pango_cairo_update_layout(c, layout);
  pango_cairo_show_layout(c, layout);
  cairo_restore(c);
}

void check_fonts() {
  PangoFontFamily** families = nullptr;
  int count = 0;
  pango_font_map_list_families(pango_cairo_font_map_get_default(), &families, &count);
  (g_free)(families);  // newer GLib has a macro of this name
  check<Error>(count > 0, "png: no font is installed; install one (Debian: fonts-dejavu-core) or write svg");
}

cairo_status_t append(void* out, const unsigned char* bytes, unsigned n) {
  try {
    static_cast<std::string*>(out)->append(reinterpret_cast<const char*>(bytes), n);
  } catch (const std::bad_alloc&) {  // must not fly through C
    return CAIRO_STATUS_NO_MEMORY;
  }
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

bool can_draw_png() { return pango_cairo() != nullptr; }

std::string to_png(const Figure& figure, const PictureOptions& options) {
  check<ConfigError>(options.pixels >= 0.1 && options.pixels <= 16, "png: pixels must be 0.1 to 16, got ",
                     options.pixels);
  const Picture p = draw(figure, options);
  const double width = std::ceil(p.width * options.pixels), height = std::ceil(p.height * options.pixels);
  check(width <= kMostPixels && height <= kMostPixels, "png: the picture would be ", width, " x ", height,
        " pixels, at most ", kMostPixels, " a side; draw fewer tokens, lower pixels or write svg");
  check_fonts();
  const Surface surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width), static_cast<int>(height)));
  const Canvas canvas(cairo_create(surface.get()));
  cairo_t* c = canvas.get();
  check_cairo(cairo_status(c));
  set_color(c, p.background);
  cairo_paint(c);
  cairo_scale(c, options.pixels, options.pixels);
  // Borders between cells stay sharp; text and dashes are smoothed.
  cairo_set_antialias(c, CAIRO_ANTIALIAS_NONE);
  for (const Box& b : p.boxes) add(c, b);
  for (const Raster& r : p.rasters) add(c, r);
  for (const Image& image : p.images) add(c, image);
  cairo_set_antialias(c, CAIRO_ANTIALIAS_GRAY);
  for (const Path& path : p.paths) add(c, path);
  for (const Line& l : p.lines) add(c, l);
  const Layout layout(pango_cairo_create_layout(c));
  pango_layout_set_single_paragraph_mode(layout.get(), TRUE);
  pango_layout_set_auto_dir(layout.get(), FALSE);  // `align` means left and right, whatever the script
  for (const Label& l : p.labels) add(c, layout.get(), l);
  std::string bytes;
  check_cairo(cairo_status(c));
  check_cairo(cairo_surface_write_to_png_stream(surface.get(), &append, &bytes));
  constexpr size_t kHead = 33;  // the signature and the first chunk, which must be IHDR
  return bytes.insert(kHead, kPngMark);
}

}  // namespace lookback::viz

#else

namespace lookback::viz {

bool can_draw_png() { return false; }

std::string to_png(const Figure&, const PictureOptions&) {
  throw Error("png: this build has no Pango and Cairo; install libpango1.0-dev and build again, or write svg");
}

}  // namespace lookback::viz

#endif
