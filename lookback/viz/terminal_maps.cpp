#include <algorithm>

#include "lookback/base/format_number.h"
#include "lookback/viz/picture_maps.h"
#include "lookback/viz/terminal_row.h"

namespace lookback::viz {
namespace {

constexpr int64_t kMostColumns = 16, kMostRows = 24;  // of a map: two rows of it stand in one line
constexpr int64_t kPlaceColumns = 18;                 // "bottom right 0.031"
constexpr int64_t kGap = 2, kScoreColumns = 6;

class TerminalFilm {
 public:
  TerminalFilm(const PictureMaps& maps, const TerminalOptions& options)
      : maps_(maps),
        options_(options),
        width_(std::max(options.width, kLeastWidth)),
        U_(std::ssize(maps.tokens)),
        tops_(tops_of(maps, options.scale)) {}

  std::string run() {
    out_ = title_line(maps_.title, options_);
    out_ += dim_line(str_cat("a picture of ", maps_.picture.dim(1), " x ", maps_.picture.dim(0), ", looked at in ",
                             maps_.grid_width, " x ", maps_.grid_height, " places"),
                     options_);
    if (U_ == 0) return std::move(out_) + dim_line("Nothing to draw: no tokens.", options_);
    lay_out();
    for (int64_t begin = first_; begin < U_; begin += per_line_) cells(begin, std::min(U_, begin + per_line_));
    const std::string end = shared_end(maps_, options_.scale);
    out_ += scale_line(end.empty() ? "the largest weight of the word" : end, 0, options_, "weight");
    if (!maps_.elsewhere.empty()) out_ += dim_line("elsewhere: weight that is not on the picture", options_);
    return std::move(out_);
  }

 private:
  // Cells of the grid are drawn as large as fits, or several of them as one.
  void lay_out() {
    const int64_t gh = maps_.grid_height, gw = maps_.grid_width;
    const auto parts = [](int64_t n, int64_t most) { return (n + most - 1) / most; };
    const int64_t join = std::max(parts(gw, kMostColumns), parts(gh, kMostRows));
    const int64_t grow = std::max<int64_t>(1, std::min(kMostColumns / gw, kMostRows / gh));
    columns_ = parts(gw, join) * grow, rows_ = parts(gh, join) * grow;
    slot_ = std::max(columns_, kPlaceColumns);
    per_line_ = std::max<int64_t>(1, (width_ + kGap) / (slot_ + kGap));
    first_ = options_.color ? -1 : 0;  // the picture itself needs colours
  }

  // The largest weight of what lies there, on the scale of the word.
  double place_at(int64_t u, int64_t row, int64_t column) const {
    const int64_t gh = maps_.grid_height, gw = maps_.grid_width;
    const auto from = [](int64_t k, int64_t n, int64_t cells) { return k * cells / n; };
    const int64_t top = from(row, rows_, gh), bottom = std::max(top + 1, from(row + 1, rows_, gh));
    const int64_t left = from(column, columns_, gw), right = std::max(left + 1, from(column + 1, columns_, gw));
    const float* w = maps_.weights.data<float>() + u * gh * gw;
    float most = 0;
    for (int64_t y = top; y < bottom; ++y)
      most = std::max(most, *std::max_element(w + y * gw + left, w + y * gw + right));
    return place(most, tops_[static_cast<size_t>(u)]);
  }

  // The cells from `begin` on side by side; the one before the first word is the picture.
  void cells(int64_t begin, int64_t end) {
    const auto line = [&](auto&& draw) {
      Row row(options_.color);
      for (int64_t u = begin; u < end; ++u) {
        row.to((u - begin) * (slot_ + kGap));
        draw(row, u, (u - begin) * (slot_ + kGap));
      }
      out_ += std::move(row).line();
    };
    line([&](Row& row, int64_t u, int64_t x) { head(row, u, x); });
    line([&](Row& row, int64_t u, int64_t) {
      if (u >= 0) row.dim(shorten(where(u), slot_));
    });
    if (!maps_.elsewhere.empty())
      line([&](Row& row, int64_t u, int64_t) {
        if (u >= 0) row.dim(shorten("elsewhere " + share_text(maps_.elsewhere[static_cast<size_t>(u)]), slot_));
      });
    const Pixels pixels = begin < 0 ? mean_pixels(maps_.picture, rows_ + rows_ % 2, columns_) : Pixels{};
    for (int64_t r = 0; r < rows_; r += 2)
      line([&](Row& row, int64_t u, int64_t) { u < 0 ? picture(row, pixels, r) : map(row, u, r); });
    out_ += '\n';
  }

  void head(Row& row, int64_t u, int64_t x) const {
    if (u < 0) return row.dim("the picture");
    const bool scores = !maps_.row_scores.empty();
    row.token(shorten(visible(maps_.tokens[static_cast<size_t>(u)]), slot_ - (scores ? kScoreColumns + 1 : 0)));
    if (!scores) return;
    const std::string score = shorten(fixed(maps_.row_scores[static_cast<size_t>(u)], 2), kScoreColumns);
    row.to(x + slot_ - display_width(score));
    row.dim(score);
  }

  std::string where(int64_t u) const {
    const float most = largest_weight(maps_, u);
    return main_place(maps_, u) + (most > 0 ? " " + weight_text(most) : "");
  }

  void picture(Row& row, const Pixels& pixels, int64_t r) const {
    for (int64_t x = 0; x < columns_; ++x) {
      const auto color = [&](int64_t y) {
        const uint8_t* rgb = pixels.rgb.data() + (y * columns_ + x) * 3;
        return terminal_nearest({rgb[0], rgb[1], rgb[2]});
      };
      row.styled("\u2580", background_style(color(r + 1)) + ";" + text_style(color(r)));
    }
  }

  void map(Row& row, int64_t u, int64_t r) const {
    for (int64_t x = 0; x < columns_; ++x) {
      const double above = place_at(u, r, x), below = r + 1 < rows_ ? place_at(u, r + 1, x) : 0;
      if (!options_.color) {
        row.plain(kShades[shade_level(std::max(above, below))]);
        continue;
      }
      const int top = terminal_color(options_.theme, above), bottom = terminal_color(options_.theme, below);
      if (top >= 0 && bottom >= 0)
        row.styled("\u2580", background_style(bottom) + ";" + text_style(top));
      else if (top >= 0 || bottom >= 0)
        row.styled(top >= 0 ? "\u2580" : "\u2584", text_style(std::max(top, bottom)));
      else
        row.dim("\u00B7");
    }
  }

  const PictureMaps& maps_;
  const TerminalOptions& options_;
  const int64_t width_, U_;
  const std::vector<double> tops_;
  int64_t columns_ = 0, rows_ = 0;               // of a map as it is drawn
  int64_t slot_ = 0, per_line_ = 1, first_ = 0;  // the width of a cell with its words; cells in a line; the first cell
  std::string out_;
};

}  // namespace

std::string picture_maps_on_terminal(const PictureMaps& maps, const TerminalOptions& options) {
  return TerminalFilm(maps, options).run();
}

}  // namespace lookback::viz
