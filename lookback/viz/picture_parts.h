// Private to viz: what the pictures of all figures have in common.
#pragma once

#include "lookback/viz/picture.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {

constexpr double kMargin = 16, kSmall = 11, kTitle = 15, kLegend = 120;
constexpr double kBold = 1.08;       // how much wider bold text is
constexpr int64_t kMostTips = 4000;  // boxes that still get a tooltip each

Picture draw_highlight(const Highlight& highlight, const PictureOptions& options);
Picture draw_time_map(const HeatMap& map, const PictureOptions& options);
Picture draw_chart(const Chart& chart, const PictureOptions& options);
Picture draw_picture_maps(const PictureMaps& maps, const PictureOptions& options);

std::string mark_description(const Axis& axis);  // of what is marked; empty where nothing is

// A picture that can be written on in the colours of a theme.
struct Sketch {
  const Palette& palette;
  Picture out;

  Sketch(const std::string& title, Theme theme);
  void write(double x, double y, std::string words, double size, Align align = Align::start);
  double head() const { return out.title.empty() ? 0 : kTitle + 14; }  // the height of the title
  double title_width() const;                                          // of the picture that has room for it
  void title();  // once the width is known; cut if it does not fit
  void scale(double x, double y, double top, const std::string& name = "weight");
  void nothing(const std::string& why);
};

}  // namespace lookback::viz
