// Private to viz: lines of a terminal.
#pragma once

#include <array>

#include "lookback/viz/color.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {

constexpr int64_t kLeastWidth = 20, kMostLabel = 24;

// One line of the output. Places are columns of the terminal, not bytes.
class Row {
 public:
  explicit Row(bool color) : color_(color) {}

  int64_t width() const { return width_; }
  void to(int64_t column) {
    if (column > width_) bytes_.append(static_cast<size_t>(column - width_), ' '), width_ = column;
  }
  void plain(std::string_view words) {
    // Keeps a terminal that reorders right-to-left text from moving its neighbours.
    const bool fence = right_to_left(words);
    if (fence) bytes_ += "\u200E";
    bytes_ += words;
    if (fence) bytes_ += "\u200E";
    width_ += display_width(words);
  }
  void styled(std::string_view words, const std::string& style) {
    if (color_) bytes_ += "\033[" + style + "m";
    plain(words);
    if (color_) bytes_ += "\033[0m";
  }
  void dim(std::string_view words) { styled(words, "2"); }
  void token(const TokenText& t) {
    if (!t.prefix.empty()) dim(t.prefix);
    plain(t.body);
    if (!t.suffix.empty()) dim(t.suffix);
  }
  std::string line() && {
    bytes_.erase(bytes_.find_last_not_of(' ') + 1);
    return std::move(bytes_) + "\n";
  }

 private:
  bool color_;
  std::string bytes_;
  int64_t width_ = 0;
};

// Shades for weights from 0, 5 %, 25 %, 50 % and 75 % of the scale.
inline constexpr std::array kShades = {"\u00B7", "\u2591", "\u2592", "\u2593", "\u2588"};
size_t shade_level(double place);

std::string repeated(std::string_view words, int64_t times);
std::string block_bar(double share, int64_t columns);  // so much of so many, to an eighth of a column

// Styles of a colour of terminal_color or of the 16 to 255.
std::string background_style(int color);
std::string text_style(int color);
std::string filled_style(Theme theme, int color);  // that background, and text readable on it

std::string title_line(const std::string& title, const TerminalOptions& options);  // none without a title
std::string dim_line(const std::string& words, const TerminalOptions& options);
// The scale from 0 to `top`, `left` columns from the left, with its name if that is not "weight".
std::string scale_line(double top, int64_t left, const TerminalOptions& options, const std::string& name = "weight");
std::string scale_line(const std::string& end, int64_t left, const TerminalOptions& options, const std::string& name);

std::string highlight_on_terminal(const Highlight& highlight, const TerminalOptions& options);
std::string chart_on_terminal(const Chart& chart, const TerminalOptions& options);
std::string picture_maps_on_terminal(const PictureMaps& maps, const TerminalOptions& options);

}  // namespace lookback::viz
