#include <functional>
#include <map>

#include "lookback/base/format_number.h"
#include "lookback/viz/data_uri.h"
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

std::string path_data(const Path& p) {
  std::string out;
  for (const std::vector<Point>& run : p.runs) {
    for (size_t k = 0; k < run.size(); ++k) out += (k ? "L" : "M") + coordinate(run[k].x) + " " + coordinate(run[k].y);
    if (p.width == 0)
      out += "Z";
    else if (run.size() == 1)
      out += "h0";  // a round end on either side of nothing
  }
  return out;
}

class Writer {
 public:
  using Ink = std::function<std::string(Rgb)>;  // a colour as it is written

  explicit Writer(Ink ink) : ink_(std::move(ink)) {}

  // The element, with `mark` before its drawing.
  std::string run(const Picture& p, const std::string& attributes, std::string_view mark, const std::string& title) {
    const std::string width = coordinate(p.width), height = coordinate(p.height);
    out_ = "<svg width=\"" + width + "\" height=\"" + height + "\" viewBox=\"0 0 " + width + " " + height +
           "\" role=\"img\"" + attributes +
           " font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', 'Noto Sans', sans-serif\">\n";
    out_ += mark;
    out_ += "<title>" + escape_markup(title) + "</title>\n<desc>" + escape_markup(p.description) + "</desc>\n";
    add(Box{0, 0, p.width, p.height, p.background, ""});
    out_ += "<g shape-rendering=\"crispEdges\">\n";
    for (const Box& b : p.boxes) add(b);
    out_ += "</g>\n";
    for (const Raster& r : p.rasters) add(r);
    for (const Image& image : p.images) add(image);
    for (const Path& path : p.paths) add(path);
    for (const Line& l : p.lines) add(l);
    // Digits lie above their cells and must not hide them from the pointer.
    out_ += "<g pointer-events=\"none\" xml:space=\"preserve\">\n";
    for (const Label& l : p.labels) add(l);
    out_ += "</g>\n";
    if (!p.hovers.empty()) {
      out_ += "<g fill=\"none\" pointer-events=\"all\">\n";
      for (const Hover& h : p.hovers) add(h);
      out_ += "</g>\n";
    }
    return std::move(out_) + "</svg>\n";
  }

 private:
  void rectangle(double x, double y, double width, double height) {
    out_ += "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", width) + attribute("height", height);
  }

  void add(const Box& b) {
    rectangle(b.x, b.y, b.width, b.height);
    out_ += " fill=\"" + ink_(b.fill) + "\"";
    out_ += b.tip.empty() ? "/>\n" : "><title>" + escape_markup(b.tip) + "</title></rect>\n";
  }

  // One path for each level, of runs in units of cells, each placed from the one before: the smallest there is.
  void add(const Raster& r) {
    struct Runs {
      std::string data;
      int64_t x = 0, y = 0;  // where the pen is
    };
    std::vector<Runs> levels(r.colors.size());
    for_runs(r, [&](int64_t row, int64_t begin, int64_t end, uint8_t level) {
      Runs& runs = levels[level];
      runs.data += str_cat("m", begin - runs.x, " ", row - runs.y, "h", end - begin, "v1h", begin - end, "z");
      runs.x = begin, runs.y = row;
    });
    out_ += "<g shape-rendering=\"crispEdges\" transform=\"translate(" + coordinate(r.x) + " " + coordinate(r.y) +
            ") scale(" + fixed(r.width / static_cast<double>(r.columns), 6) + " " +
            fixed(r.height / static_cast<double>(r.rows), 6) + ")\">\n";
    for (size_t k = 1; k < levels.size(); ++k)
      if (!levels[k].data.empty()) out_ += "<path d=\"" + levels[k].data + "\" fill=\"" + ink_(r.colors[k]) + "\"/>\n";
    out_ += "</g>\n";
  }

  void add(const Image& image) {
    out_ += "<image" + attribute("x", image.x) + attribute("y", image.y) + attribute("width", image.width) +
            attribute("height", image.height) + " preserveAspectRatio=\"none\" xlink:href=\"" + data_uri(image.pixels) +
            "\"/>\n";
  }

  void add(const Hover& h) {
    rectangle(h.x, h.y, h.width, h.height);
    out_ += "><title>" + escape_markup(h.tip) + "</title></rect>\n";
  }

  void add(const Line& l) {
    out_ += "<line" + attribute("x1", l.x1) + attribute("y1", l.y1) + attribute("x2", l.x2) + attribute("y2", l.y2) +
            " stroke=\"" + ink_(l.color) + "\" stroke-dasharray=\"4 4\"/>\n";
  }

  void add(const Path& p) {
    const char* const kind = p.width == 0 ? "fill" : "stroke";
    out_ += "<path d=\"" + path_data(p) + "\" " + kind + "=\"" + ink_(p.color) + "\"";
    if (p.opacity != 1) out_ += std::string(" ") + kind + attribute("-opacity", p.opacity).substr(1);
    if (p.width > 0)
      out_ +=
          " fill=\"none\"" + attribute("stroke-width", p.width) + " stroke-linejoin=\"round\" stroke-linecap=\"round\"";
    for (size_t k = 0; k < p.dashes.size(); ++k) out_ += (k ? " " : " stroke-dasharray=\"") + coordinate(p.dashes[k]);
    out_ += p.dashes.empty() ? "/>\n" : "\"/>\n";
  }

  void add(const Label& l) {
    constexpr const char* kAnchors[] = {"start", "middle", "end"};
    out_ += "<text" + attribute("x", l.x) + attribute("y", l.y) + attribute("font-size", l.size);
    if (l.align != Align::start) out_ += std::string(" text-anchor=\"") + kAnchors[static_cast<int>(l.align)] + "\"";
    if (l.bold) out_ += " font-weight=\"bold\"";
    if (l.angle != 0)
      out_ += " transform=\"rotate(" + coordinate(l.angle) + " " + coordinate(l.x) + " " + coordinate(l.y) + ")\"";
    if (l.spans.size() == 1) {
      out_ += " fill=\"" + ink_(l.spans[0].color) + "\">" + escape_markup(l.spans[0].text);
    } else {
      out_ += ">";
      for (const Span& s : l.spans)
        out_ += "<tspan fill=\"" + ink_(s.color) + "\">" + escape_markup(s.text) + "</tspan>";
    }
    out_ += "</text>\n";
  }

  const Ink ink_;
  std::string out_;
};

}  // namespace

std::string to_svg(const Figure& figure, const PictureOptions& options) {
  const Picture p = draw(figure, options);
  const char* const kind = std::holds_alternative<Chart>(figure) ? "Chart" : "Attention";
  std::string names = " xmlns=\"http://www.w3.org/2000/svg\"";
  if (!p.images.empty()) names += " xmlns:xlink=\"http://www.w3.org/1999/xlink\"";
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" +
         Writer(hex).run(p, names, std::string(kSvgMark) + "\n", p.title.empty() ? kind : p.title);
}

PageSvg svg_for_page(const Picture& light, const Picture& dark, const std::string& name, const std::string& title) {
  // Both pictures have the same parts in the same order, so the colours that are written first, second, ... are pairs.
  std::vector<Rgb> colors;
  Writer([&](Rgb c) { return colors.push_back(c), ""; }).run(dark, "", "", "");
  std::map<std::pair<std::string, std::string>, size_t> numbers;
  size_t next = 0;
  PageSvg out;
  out.element = Writer([&](Rgb c) {
                  const auto at = numbers.try_emplace({hex(c), hex(colors.at(next++))}, numbers.size()).first;
                  return str_cat("var(--c", at->second, ")");
                }).run(light, " id=\"" + name + "\" tabindex=\"0\"", "", title);
  std::string of_light, of_dark;
  for (const auto& [pair, number] : numbers) {
    of_light += str_cat("--c", number, ":", pair.first, ";");
    of_dark += str_cat("--c", number, ":", pair.second, ";");
  }
  out.style = "#" + name + "{" + of_light + "}\n@media (prefers-color-scheme:dark){#" + name + "{" + of_dark + "}}\n";
  return out;
}

}  // namespace lookback::viz
