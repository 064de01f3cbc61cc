#include "lookback/viz/picture_parts.h"

#include <algorithm>

namespace lookback::viz {

Sketch::Sketch(const std::string& title, Theme theme) : palette(viz::palette(theme)) {
  out.background = palette.background;
  out.title = one_line(title);
}

std::string mark_description(const Axis& axis) {
  if (axis.mark.empty()) return "";
  constexpr int64_t kMost = 12;
  std::string out = " Marked:";
  for (int64_t k = axis.mark.begin; k < std::min(axis.mark.end, axis.mark.begin + kMost); ++k)
    out += " " + shorten(visible(axis.tokens[static_cast<size_t>(k)]).body, 26);
  return out + (axis.mark.end - axis.mark.begin > kMost ? " \u2026" : ".");
}

void Sketch::write(double x, double y, std::string words, double size, Align align) {
  out.labels.push_back({.x = x, .y = y, .spans = {{std::move(words), palette.muted}}, .size = size, .align = align});
}

double Sketch::title_width() const { return std::min(text_ems(out.title) * kTitle * kBold, 640.0) + 2 * kMargin; }

void Sketch::title() {
  if (out.title.empty()) return;
  std::string words = out.title;
  const double room = (out.width - 2 * kMargin) / (kTitle * kBold);
  for (int64_t columns = display_width(words); text_ems(words) > room && columns > 1; --columns)
    words = shorten(out.title, columns);
  out.labels.push_back({.x = kMargin,
                        .y = kMargin + kTitle - 2,
                        .spans = {{std::move(words), palette.text}},
                        .size = kTitle,
                        .bold = true});
}

void Sketch::scale(double x, double y, double top, const std::string& name) {
  constexpr int kSteps = 40, kNameColumns = 16;
  constexpr double kStep = kLegend / kSteps;
  out.boxes.push_back({x - 1, y - 1, kLegend + 2, 12, palette.faint, ""});
  for (int k = 0; k < kSteps; ++k)
    out.boxes.push_back({x + k * kStep, y, kStep, 10, shade(palette, (k + 0.5) / kSteps), ""});
  write(x, y + 24, "0", kSmall, Align::middle);
  write(x + kLegend, y + 24, scale_end(top), kSmall, Align::middle);
  write(x + kLegend / 2, y + 24, shorten(one_line(name), kNameColumns), kSmall, Align::middle);
}

void Sketch::nothing(const std::string& why) {
  out.description = "Nothing to draw: " + why + ".";
  out.width = 360, out.height = out.title.empty() ? 64 : 90;
  title();
  const double y = out.height - 48;
  out.boxes.push_back({kMargin, y, out.width - 2 * kMargin, 32, palette.faint, ""});
  out.boxes.push_back({kMargin + 1, y + 1, out.width - 2 * kMargin - 2, 30, palette.background, ""});
  write(out.width / 2, y + 20, "Nothing to draw: " + why, kSmall, Align::middle);
}

double text_ems(std::string_view utf8) {
  double ems = 0;
  for (const std::string& g : graphemes(utf8)) {
    const int64_t columns = display_width(g);
    const char c = g.size() == 1 ? g[0] : 'n';
    if (columns == 0) continue;
    if (columns > 1)
      ems += 1.05;
    else if (std::string_view("iljtfrI.,;:'|!()[] ").find(c) != std::string_view::npos)
      ems += 0.4;
    else if (std::string_view("mwMW@%#<>=+").find(c) != std::string_view::npos)
      ems += 0.98;
    else if (c >= 'A' && c <= 'Z')
      ems += 0.76;
    else
      ems += g.size() > 1 ? 0.78 : 0.63;
  }
  return ems;
}

}  // namespace lookback::viz
