// What the SVG and the PNG have in common: a drawing made of boxes, lines, text
// and pixels, laid out once. Units are CSS pixels, y grows downwards.
#pragma once

#include <string>
#include <vector>

#include "lookback/viz/color.h"

namespace lookback::viz {

struct Box {
  double x, y, width, height;
  Rgb fill;
  std::string tip;  // what hovering shows; empty for nothing
};

// Cells too many to be boxes: each is of the colour of its level, and of none at level 0.
struct Raster {
  double x, y, width, height;
  int64_t rows, columns;
  std::vector<uint8_t> levels;  // [rows, columns]
  std::vector<Rgb> colors;      // of each level; the first is not used
};

// Colours of pixels, rows from the top.
struct Pixels {
  int64_t rows = 0, columns = 0;
  std::vector<uint8_t> rgb;  // [rows, columns, 3]
};

// Pixels stretched over a place.
struct Image {
  double x, y, width, height;
  Pixels pixels;
};

struct Line {
  double x1, y1, x2, y2;
  Rgb color;
};

enum class Align { start, middle, end };

struct Span {
  std::string text;  // fit to be shown, not yet escaped
  Rgb color;
};

struct Label {
  double x, y;  // of the baseline, where `align` puts it
  std::vector<Span> spans;
  double size;
  Align align = Align::start;
  double angle = 0;  // degrees, clockwise, about (x, y)
  bool bold = false;
};

struct Point {
  double x, y;
};

// Lines or areas drawn as one: where two of its areas lie over each other, it is no darker.
struct Path {
  std::vector<std::vector<Point>> runs;  // one point alone is a dot
  Rgb color;
  double width = 0;  // of the line; 0 fills each run
  double opacity = 1;
  std::vector<double> dashes = {};  // drawn, left out, drawn, ...
};

// What pointing at a place shows. It is not seen.
struct Hover {
  double x, y, width, height;
  std::string tip;
};

struct Picture {
  double width = 0, height = 0;
  Rgb background;
  std::string title, description;
  std::vector<Box> boxes;       // drawn in this order,
  std::vector<Raster> rasters;  // then these,
  std::vector<Image> images;    // then these,
  std::vector<Path> paths;      // then these,
  std::vector<Line> lines;      // then dashed lines,
  std::vector<Label> labels;    // then text
  std::vector<Hover> hovers;
};

Picture draw(const Figure& figure, const PictureOptions& options);

// The runs of equal cells of a row of a raster: calls f(row, begin, end, level) for those above level 0.
template <class F>
void for_runs(const Raster& raster, F&& f) {
  for (int64_t row = 0; row < raster.rows; ++row) {
    const uint8_t* levels = raster.levels.data() + row * raster.columns;
    for (int64_t begin = 0, end; begin < raster.columns; begin = end) {
      for (end = begin + 1; end < raster.columns && levels[end] == levels[begin];) ++end;
      if (levels[begin] > 0) f(row, begin, end, levels[begin]);
    }
  }
}

// A picture as an element of a page, its colours variables that `style` gives for both themes. `name` is its id.
struct PageSvg {
  std::string element, style;
};
PageSvg svg_for_page(const Picture& light, const Picture& dark, const std::string& name, const std::string& title);

// About how wide a text is in a common sans-serif font, in multiples of its
// size. Rather too wide than too narrow: the layout must hold with any font.
double text_ems(std::string_view utf8);

}  // namespace lookback::viz
