#include <algorithm>
#include <cmath>

#include "lookback/base/format_number.h"
#include "lookback/viz/picture_maps.h"
#include "lookback/viz/picture_parts.h"

namespace lookback::viz {
namespace {

constexpr double kFont = 14, kGapX = 16, kGapY = 16, kLeastColumn = 148, kPage = 1180, kOffBar = 5;
constexpr double kWordLine = 22, kSmallLine = 15;
constexpr double kLegendRoom = 44;

// The picture and, as the next cells of a film, what of it counted for each word.
class Film {
 public:
  Film(const PictureMaps& maps, const PictureOptions& options)
      : maps_(maps),
        options_(options),
        cell_(cell_size(maps.picture)),
        lit_(maps, options.scale, cell_.width, cell_.height),
        column_(std::max(cell_.width, kLeastColumn)),
        U_(std::ssize(maps.tokens)),
        sketch_(maps.title, options.theme) {}

  Picture run() {
    lay_out();
    sketch_.title();
    frame(0, lit_.whole());
    sketch_.write(x_of(0), y_of(0) + cell_.height + kWordLine - 5, "the picture", kSmall);
    for (int64_t u = 0; u < U_; ++u) word(u);
    legend();
    return std::move(out_);
  }

 private:
  double x_of(int64_t cell) const { return kMargin + static_cast<double>(cell % per_row_) * (column_ + kGapX); }
  double y_of(int64_t cell) const { return top_ + static_cast<double>(cell / per_row_) * row_; }

  // As few rows as the page allows, all of about the same length.
  void lay_out() {
    const int64_t cells = U_ + 1;
    const auto most = static_cast<int64_t>((kPage + kGapX) / (column_ + kGapX));
    const int64_t rows = (cells + most - 1) / most;
    per_row_ = (cells + rows - 1) / rows;
    top_ = kMargin + sketch_.head();
    row_ = cell_.height + kWordLine + kSmallLine + kGapY;
    if (!maps_.elsewhere.empty()) row_ += kSmallLine + kOffBar + 3;
    const double across = kMargin + static_cast<double>(per_row_) * (column_ + kGapX) - kGapX;
    out_.width = std::ceil(std::max({across + kMargin, sketch_.title_width(), kMargin + legend_width() + kMargin}));
    out_.height = std::ceil(top_ + static_cast<double>(rows) * row_ + (U_ > 0 ? kLegendRoom : 0));
    out_.description = str_cat("A picture of ", maps_.picture.dim(1), " x ", maps_.picture.dim(0),
                               " pixels, and where it was looked at for each of ", U_, " tokens written about it.");
  }

  void frame(int64_t cell, Pixels pixels) {
    const double x = x_of(cell), y = y_of(cell);
    out_.boxes.push_back({x - 1, y - 1, cell_.width + 2, cell_.height + 2, sketch_.palette.faint, ""});
    out_.images.push_back({x, y, cell_.width, cell_.height, std::move(pixels)});
  }

  void word(int64_t u) {
    const double x = x_of(u + 1);
    double y = y_of(u + 1);
    frame(u + 1, lit_.lit(u));
    if (U_ <= kMostTips) out_.hovers.push_back({x, y, cell_.width, cell_.height, said_of(maps_, u)});
    y += cell_.height + kWordLine - 5;
    out_.labels.push_back({.x = x, .y = y, .spans = spans(u), .size = kFont});
    y += kSmallLine;
    const auto k = static_cast<size_t>(u);
    sketch_.write(x, y, "up to " + short_number(weight_text(largest_weight(maps_, u))), kSmall);
    if (!maps_.row_scores.empty())
      sketch_.write(x + column_, y, "log p " + short_number(fixed(maps_.row_scores[k], 2)), kSmall, Align::end);
    if (maps_.elsewhere.empty()) return;
    y += kSmallLine;
    const double off = std::clamp(maps_.elsewhere[k], 0.0, 1.0);
    sketch_.write(x, y, "off the picture " + short_number(share_text(maps_.elsewhere[k])), kSmall);
    y += 5;
    out_.boxes.push_back({x, y, cell_.width, kOffBar, sketch_.palette.faint, ""});
    if (off > 0) out_.boxes.push_back({x, y, off * cell_.width, kOffBar, sketch_.palette.muted, ""});
  }

  // A number of any size keeps to its half of the column.
  static std::string short_number(const std::string& text) { return shorten(text, 8); }

  std::vector<Span> spans(int64_t u) const {
    const TokenText whole = visible(maps_.tokens[static_cast<size_t>(u)]);
    TokenText token = whole;
    for (int64_t columns = display_width(whole.whole()); text_ems(token.whole()) * kFont > column_ && columns > 1;)
      token = shorten(whole, --columns);
    std::vector<Span> out;
    if (!token.prefix.empty()) out.push_back({token.prefix, sketch_.palette.muted});
    out.push_back({token.body, sketch_.palette.text});
    if (!token.suffix.empty()) out.push_back({token.suffix, sketch_.palette.muted});
    return out;
  }

  std::string end() const {
    const std::string shared = shared_end(maps_, options_.scale);
    return shared.empty() ? "largest weight of the word" : shared;
  }
  static constexpr const char* kHalf = "half of that";
  double legend_width() const {
    return U_ == 0 ? 0 : 16 + kLegend + 8 + text_ems(end()) * kSmall + 20 + 34 + text_ems(kHalf) * kSmall;
  }

  // What becomes of a colour of the picture, from no weight on.
  void legend() {
    if (U_ == 0) return;
    constexpr int kSteps = 40;
    constexpr double kStep = kLegend / kSteps;
    constexpr Rgb kSample{96, 176, 92};
    const double y = out_.height - kLegendRoom + 12;
    double x = kMargin;
    sketch_.write(x + 3, y + 9, "0", kSmall, Align::middle);
    x += 14;
    out_.boxes.push_back({x - 1, y - 1, kLegend + 2, 12, sketch_.palette.faint, ""});
    for (int k = 0; k < kSteps; ++k)
      out_.boxes.push_back({x + k * kStep, y, kStep, 10, lit_color(kSample, (k + 0.5) / kSteps), ""});
    out_.boxes.push_back({x + kLegend * kLineAt - 1, y, 2, 10, line_color(), ""});
    x += kLegend + 8;
    sketch_.write(x, y + 9, end(), kSmall);
    x += text_ems(end()) * kSmall + 20;
    out_.boxes.push_back({x, y, 28, 10, lit_color(kSample, kLineAt), ""});
    out_.boxes.push_back({x, y + 4, 28, 2, line_color(), ""});
    sketch_.write(x + 34, y + 9, kHalf, kSmall);
  }

  const PictureMaps& maps_;
  const PictureOptions& options_;
  const CellSize cell_;
  const LitPicture lit_;
  const double column_;  // the width of a cell and its words
  const int64_t U_;
  int64_t per_row_ = 1;
  double top_ = 0, row_ = 0;  // where the first row of cells begins, from one to the next
  Sketch sketch_;
  Picture& out_ = sketch_.out;
};

}  // namespace

Picture draw_picture_maps(const PictureMaps& maps, const PictureOptions& options) { return Film(maps, options).run(); }

}  // namespace lookback::viz
