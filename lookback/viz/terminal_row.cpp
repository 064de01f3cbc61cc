#include "lookback/viz/terminal_row.h"

#include <algorithm>
#include <cmath>

namespace lookback::viz {
namespace {

constexpr std::array kShadeFrom = {0.0, 0.05, 0.25, 0.5, 0.75};

int64_t width_of(const TerminalOptions& options) { return std::max(options.width, kLeastWidth); }

}  // namespace

size_t shade_level(double place) {
  size_t level = kShades.size() - 1;
  while (level > 0 && place < kShadeFrom[level]) --level;
  return level;
}

std::string repeated(std::string_view words, int64_t times) {
  std::string out;
  for (int64_t k = 0; k < times; ++k) out += words;
  return out;
}

std::string block_bar(double share, int64_t columns) {
  constexpr std::array kEighths = {"", "\u258F", "\u258E", "\u258D", "\u258C", "\u258B", "\u258A", "\u2589"};
  const auto eighths =
      static_cast<int64_t>(std::lround(std::clamp(share, 0.0, 1.0) * 8 * static_cast<double>(columns)));
  return repeated("\u2588", eighths / 8) + kEighths[static_cast<size_t>(eighths % 8)];
}

std::string background_style(int color) { return str_cat("48;5;", color); }
std::string text_style(int color) { return str_cat("38;5;", color); }

std::string filled_style(Theme theme, int color) {
  // Both colours are said: the terminal's own text may be dark or light.
  const bool dark_text = luminance(readable_on(palette(theme), terminal_rgb(color))) < 0.5;
  return background_style(color) + ";" + text_style(dark_text ? 16 : 231);
}

std::string title_line(const std::string& title, const TerminalOptions& options) {
  if (title.empty()) return "";
  Row row(options.color);
  row.styled(shorten(one_line(title), width_of(options)), "1");
  return std::move(row).line();
}

std::string dim_line(const std::string& words, const TerminalOptions& options) {
  Row row(options.color);
  row.dim(shorten(words, width_of(options)));
  return std::move(row).line();
}

std::string scale_line(double top, int64_t left, const TerminalOptions& options, const std::string& name) {
  return scale_line(scale_end(top), left, options, name);
}

std::string scale_line(const std::string& end, int64_t left, const TerminalOptions& options, const std::string& name) {
  Row row(options.color);
  row.to(std::min(left, width_of(options) - kLeastWidth));
  row.dim("0 ");
  if (options.color) {
    for (int k = 1; k <= 10; ++k)
      row.styled(" ", background_style(std::max(16, terminal_color(options.theme, k / 10.0))));
  } else {
    for (const char* shade : kShades) row.plain(str_cat(shade, shade));
  }
  row.dim(" " + shorten(end, width_of(options) - row.width() - 1));
  if (name != "weight" && row.width() + 1 < width_of(options))
    row.dim(" " + shorten(one_line(name), width_of(options) - row.width() - 1));
  return std::move(row).line();
}

}  // namespace lookback::viz
