// What the SVG and the PNG have in common: a drawing made of boxes, lines and
// text, laid out once. Units are CSS pixels, y grows downwards.
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
  std::vector<Box> boxes;     // drawn in this order,
  std::vector<Path> paths;    // then these,
  std::vector<Line> lines;    // then dashed lines,
  std::vector<Label> labels;  // then text
  std::vector<Hover> hovers;
};

Picture draw(const Figure& figure, const PictureOptions& options);

// A picture as an element of a page, its colours variables that `style` gives for both themes. `name` is its id.
struct PageSvg {
  std::string element, style;
};
PageSvg svg_for_page(const Picture& light, const Picture& dark, const std::string& name, const std::string& title);

// About how wide a text is in a common sans-serif font, in multiples of its
// size. Rather too wide than too narrow: the layout must hold with any font.
double text_ems(std::string_view utf8);

}  // namespace lookback::viz
