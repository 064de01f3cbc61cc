// The colours of every picture: one scale from the background to one hue, a
// straight line in OKLab (Ottosson 2020), so equal steps look equally large.
#pragma once

#include <cstdint>
#include <string>

#include "lookback/viz/figure.h"

namespace lookback::viz {

struct Rgb {
  uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Rgb&) const = default;
};

struct Palette {
  Rgb background;  // a weight of 0
  Rgb full;        // a weight of 1
  Rgb text;
  Rgb muted;  // captions, subword marks
  Rgb faint;  // grid lines
};
const Palette& palette(Theme theme);

Rgb shade(const Palette& p, double weight);         // weight in [0, 1]
Rgb readable_on(const Palette& p, Rgb background);  // text colour with the better contrast
double lightness(Rgb c);                            // L of OKLab, 0 black to 1 white
double distance(Rgb a, Rgb b);                      // in OKLab
double luminance(Rgb c);                            // relative luminance, as WCAG defines it
std::string hex(Rgb c);                             // "#1e3a8a"

// Colours of the lines of a chart, those of Okabe and Ito (2008) moved apart in lightness: told from one another with
// any of the common kinds of colour blindness, and in grey. From kSeriesColors on they come again.
constexpr size_t kSeriesColors = 7;
Rgb series_color(const Palette& p, size_t series);
constexpr double kBandOpacity = 0.2;              // of a band in the colour of its line
Rgb blend(Rgb below, Rgb color, double opacity);  // as renderers do it, in sRGB
int terminal_nearest(Rgb c);                      // of the 16 to 255

// The colour of the 256-colour terminal nearest in lightness to the scale at
// `weight`, or -1 for the terminal's own background.
int terminal_color(Theme theme, double weight);
Rgb terminal_rgb(int index);  // 16 to 255

// The weight at the far end of the scale (totals have no say; of parts or strips where there are any), a weight's place
// on it in [0, 1], that of every word [H, n], and the end as written.
double scale_top(const Figure& figure, Scale scale);
double place(double weight, double top);
std::vector<double> places(const Highlight& highlight, Scale scale);
std::string scale_end(double top);
std::string part_number(const Highlight& highlight, size_t part);  // its weight, in as many digits as all of them need
constexpr const char* kPartsMean = "left: weight of the part; words: share within it, fainter where it counts less";
constexpr int64_t kMostTextRows = 100;  // rows or columns up to which cells have text
constexpr const char* kTotalsMean = "Σ sum of the column, over 1 drawn as 1";

}  // namespace lookback::viz
