#include "lookback/viz/color.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/base/format_number.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

constexpr Palette kLight{.background = {255, 255, 255},
                         .full = {23, 55, 140},
                         .text = {26, 32, 44},
                         .muted = {98, 107, 122},
                         .faint = {226, 230, 236}};
constexpr Palette kDark{.background = {17, 20, 27},
                        .full = {143, 211, 255},
                        .text = {232, 236, 241},
                        .muted = {148, 158, 173},
                        .faint = {42, 48, 59}};

// The first is the colour of text.
constexpr std::array<Rgb, kSeriesColors> kLightSeries = {
    {{26, 32, 44}, {0, 98, 190}, {200, 78, 0}, {0, 160, 118}, {214, 120, 175}, {226, 162, 24}, {130, 205, 245}}};
constexpr std::array<Rgb, kSeriesColors> kDarkSeries = {
    {{232, 236, 241}, {110, 195, 245}, {232, 106, 28}, {0, 150, 110}, {220, 130, 185}, {245, 215, 80}, {40, 110, 190}}};

struct Lab {
  double L, a, b;
};

double to_linear(uint8_t c) {
  const double x = c / 255.0;
  return x <= 0.04045 ? x / 12.92 : elementary::pow((x + 0.055) / 1.055, 2.4);
}

uint8_t to_srgb(double x) {
  x = std::clamp(x, 0.0, 1.0);
  x = x <= 0.0031308 ? 12.92 * x : 1.055 * elementary::pow(x, 1 / 2.4) - 0.055;
  return static_cast<uint8_t>(std::lround(x * 255));
}

double cube_root(double x) { return elementary::pow(x, 1.0 / 3); }

Lab to_lab(Rgb c) {
  const double r = to_linear(c.r), g = to_linear(c.g), b = to_linear(c.b);
  const double l = cube_root(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = cube_root(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = cube_root(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
          1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
          0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

double apart(const Lab& x, const Lab& y) {
  return std::sqrt((x.L - y.L) * (x.L - y.L) + (x.a - y.a) * (x.a - y.a) + (x.b - y.b) * (x.b - y.b));
}

Rgb to_rgb(const Lab& c) {
  const double l = elementary::pow(c.L + 0.3963377774 * c.a + 0.2158037573 * c.b, 3);
  const double m = elementary::pow(c.L - 0.1055613458 * c.a - 0.0638541728 * c.b, 3);
  const double s = elementary::pow(c.L - 0.0894841775 * c.a - 1.2914855480 * c.b, 3);
  return {to_srgb(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          to_srgb(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          to_srgb(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

// Blues of the 6x6x6 cube (and its greys, where the cube has no dark blue) in
// even steps of lightness.
constexpr std::array kLightColors = {255, 153, 110, 67, 25, 19};
constexpr std::array kDarkColors = {235, 237, 24, 31, 74, 117};

double contrast(Rgb a, Rgb b) {
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

std::span<const float> weights_of(const Highlight& h) {
  return h.parts.empty() ? h.weights.span<float>() : h.part_weights.span<float>();
}

double strips_top(const Chart& chart) {
  double top = 0;
  for (const Chart::Strip& strip : chart.strips) top = std::max(top, std::ranges::max(strip.weights));
  return top > 0 ? top : 1;
}

float largest(std::span<const float> weights) { return weights.empty() ? 0 : std::ranges::max(weights); }

}  // namespace

const Palette& palette(Theme theme) { return theme == Theme::dark ? kDark : kLight; }

Rgb shade(const Palette& p, double weight) {
  if (weight <= 0) return p.background;
  if (weight >= 1) return p.full;
  const Lab a = to_lab(p.background), b = to_lab(p.full);
  return to_rgb({std::lerp(a.L, b.L, weight), std::lerp(a.a, b.a, weight), std::lerp(a.b, b.b, weight)});
}

Rgb series_color(const Palette& p, size_t series) {
  return (&p == &kDark ? kDarkSeries : kLightSeries)[series % kSeriesColors];
}

Rgb blend(Rgb below, Rgb color, double opacity) {
  const auto mix = [&](uint8_t a, uint8_t b) { return static_cast<uint8_t>(std::lround(std::lerp(a, b, opacity))); };
  return {mix(below.r, color.r), mix(below.g, color.g), mix(below.b, color.b)};
}

int terminal_nearest(Rgb c) {
  static const auto colors = [] {  // a picture asks for hundreds
    std::array<Lab, 256> out{};
    for (int index = 16; index < 256; ++index) out[static_cast<size_t>(index)] = to_lab(terminal_rgb(index));
    return out;
  }();
  const Lab wanted = to_lab(c);
  size_t best = 16;
  for (size_t index = 17; index < colors.size(); ++index)
    if (apart(colors[index], wanted) < apart(colors[best], wanted)) best = index;
  return static_cast<int>(best);
}

double distance(Rgb a, Rgb b) { return apart(to_lab(a), to_lab(b)); }

double lightness(Rgb c) { return to_lab(c).L; }

double luminance(Rgb c) { return 0.2126 * to_linear(c.r) + 0.7152 * to_linear(c.g) + 0.0722 * to_linear(c.b); }

Rgb readable_on(const Palette& p, Rgb background) {
  return contrast(p.text, background) >= contrast(p.background, background) ? p.text : p.background;
}

std::string hex(Rgb c) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "#";
  for (const int v : {c.r, c.g, c.b}) out += {kDigits[v / 16], kDigits[v % 16]};
  return out;
}

Rgb terminal_rgb(int index) {
  if (index >= 232) {
    const auto grey = static_cast<uint8_t>(8 + 10 * (index - 232));
    return {grey, grey, grey};
  }
  constexpr uint8_t kSteps[] = {0, 95, 135, 175, 215, 255};
  const int k = index - 16;
  return {kSteps[k / 36], kSteps[k / 6 % 6], kSteps[k % 6]};
}

int terminal_color(Theme theme, double weight) {
  const Palette& p = palette(theme);
  const double wanted = std::lerp(lightness(p.background), lightness(p.full), std::clamp(weight, 0.0, 1.0));
  int best = -1;
  double distance = std::abs(wanted - lightness(p.background));
  const auto consider = [&](int index) {
    const double d = std::abs(wanted - lightness(terminal_rgb(index)));
    if (d < distance) best = index, distance = d;
  };
  if (theme == Theme::dark)
    for (const int index : kDarkColors) consider(index);
  else
    for (const int index : kLightColors) consider(index);
  return best;
}

double scale_top(const Figure& figure, Scale scale) {
  const auto* map = std::get_if<HeatMap>(&figure);
  if (const auto* chart = std::get_if<Chart>(&figure)) return scale == Scale::unit ? 1 : strips_top(*chart);
  if (scale == Scale::unit || (scale == Scale::automatic && map && map->columns.seconds == 0)) return 1;
  if (const auto* maps = std::get_if<PictureMaps>(&figure)) {
    const float top = largest(maps->weights.span<float>());
    return top > 0 ? top : 1;
  }
  std::span<const float> weights = map ? map->weights.span<float>() : weights_of(std::get<Highlight>(figure));
  if (map && map->totals) weights = weights.first(static_cast<size_t>(map->token_rows() * map->column_count()));
  const float top = largest(weights);
  return top > 0 ? top : 1;
}

double place(double weight, double top) { return std::clamp(weight / top, 0.0, 1.0); }

std::vector<double> places(const Highlight& h, Scale scale) {
  const double top = scale_top(h, scale);
  const auto n = h.words.tokens.size();
  std::vector<double> out;
  for (const float w : h.weights.span<float>()) out.push_back(place(w, top));
  for (size_t p = 0, begin = 0; p < h.parts.size(); begin += static_cast<size_t>(h.parts[p]), ++p) {
    const auto in_part = [&](auto&& f) {
      for (size_t hop = 0; hop < out.size() / n; ++hop)
        for (size_t k = 0; k < static_cast<size_t>(h.parts[p]); ++k) f(hop * n + begin + k);
    };
    double most = 0;
    in_part([&](size_t k) { most = std::max<double>(most, h.weights.data<float>()[k]); });
    if (scale == Scale::unit || most == 0) most = 1;
    const double dim = std::sqrt(place(h.part_weights.data<float>()[p], top));
    in_part([&](size_t k) { out[k] = dim * place(h.weights.data<float>()[k], most); });
  }
  return out;
}

std::string part_number(const Highlight& h, size_t part) {
  const float most = largest(h.part_weights.span<float>());
  return fixed(h.part_weights.data<float>()[part], most > 0 && most < 0.1f ? 3 : 2);
}

std::string scale_end(double top) {
  if (top == 1) return "1";
  if (top >= 1e6) {
    char buffer[24];
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, top, std::chars_format::scientific, 2).ptr};
  }
  int digits = top < 0.1 ? 3 : 2;
  for (double last = 1e-3; digits < 12 && top < last; last /= 10) ++digits;
  return fixed(top, digits);
}

}  // namespace lookback::viz
