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

struct Picture {
  double width = 0, height = 0;
  Rgb background;
  std::string title, description;
  std::vector<Box> boxes;     // drawn in this order,
  std::vector<Line> lines;    // then dashed lines,
  std::vector<Label> labels;  // then text
};

Picture draw(const Figure& figure, const PictureOptions& options);

// About how wide a text is in a common sans-serif font, in multiples of its
// size. Rather too wide than too narrow: the layout must hold with any font.
double text_ems(std::string_view utf8);

}  // namespace lookback::viz
