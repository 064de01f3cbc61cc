#include <charconv>

#include "lookback/base/format_number.h"
#include "lookback/viz/marks.h"
#include "lookback/viz/picture.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

// Two decimals are a fiftieth of a pixel on the densest screen; no trailing zeros.
std::string coordinate(double value) {
  std::string out = fixed(value, 2);
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  return out;
}

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + coordinate(value) + "\"";
}

void add(std::string& out, const Box& b) {
  out += "<rect" + attribute("x", b.x) + attribute("y", b.y) + attribute("width", b.width) +
         attribute("height", b.height) + " fill=\"" + hex(b.fill) + "\"";
  out += b.tip.empty() ? "/>\n" : "><title>" + escape_markup(b.tip) + "</title></rect>\n";
}

void add(std::string& out, const Line& l) {
  out += "<line" + attribute("x1", l.x1) + attribute("y1", l.y1) + attribute("x2", l.x2) + attribute("y2", l.y2) +
         " stroke=\"" + hex(l.color) + "\" stroke-dasharray=\"4 4\"/>\n";
}

void add(std::string& out, const Label& l) {
  constexpr const char* kAnchors[] = {"start", "middle", "end"};
  out += "<text" + attribute("x", l.x) + attribute("y", l.y) + attribute("font-size", l.size);
  if (l.align != Align::start) out += std::string(" text-anchor=\"") + kAnchors[static_cast<int>(l.align)] + "\"";
  if (l.bold) out += " font-weight=\"bold\"";
  if (l.angle != 0)
    out += " transform=\"rotate(" + coordinate(l.angle) + " " + coordinate(l.x) + " " + coordinate(l.y) + ")\"";
  if (l.spans.size() == 1) {
    out += " fill=\"" + hex(l.spans[0].color) + "\">" + escape_markup(l.spans[0].text);
  } else {
    out += ">";
    for (const Span& s : l.spans) out += "<tspan fill=\"" + hex(s.color) + "\">" + escape_markup(s.text) + "</tspan>";
  }
  out += "</text>\n";
}

}  // namespace

std::string to_svg(const Figure& figure, const PictureOptions& options) {
  const Picture p = draw(figure, options);
  const std::string width = coordinate(p.width), height = coordinate(p.height);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
                    width + "\" height=\"" + height + "\" viewBox=\"0 0 " + width + " " + height +
                    "\" role=\"img\" font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', 'Noto Sans', sans-serif\">\n";
  out += kSvgMark;
  out += "\n<title>" + escape_markup(p.title.empty() ? "Attention" : p.title) + "</title>\n<desc>" +
         escape_markup(p.description) + "</desc>\n";
  add(out, Box{0, 0, p.width, p.height, p.background, ""});
  out += "<g shape-rendering=\"crispEdges\">\n";
  for (const Box& b : p.boxes) add(out, b);
  out += "</g>\n";
  for (const Line& l : p.lines) add(out, l);
  // Digits lie above their cells and must not hide them from the pointer.
  out += "<g pointer-events=\"none\" xml:space=\"preserve\">\n";
  for (const Label& l : p.labels) add(out, l);
  return out + "</g>\n</svg>\n";
}

}  // namespace lookback::viz
