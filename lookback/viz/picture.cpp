#include "lookback/viz/picture.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lookback/base/format_number.h"
#include "lookback/viz/picture_parts.h"

namespace lookback::viz {
namespace {

constexpr double kFont = 13, kLabelGap = 7, kTotalsGap = 6, kLeastTotals = 10;
constexpr double kLeastSide = 33.99;                // the width kept for the labels of rows
constexpr int64_t kLabelColumns = 26;               // longer tokens are cut
constexpr double kSlope = std::numbers::sqrt2 / 2;  // column labels rise at 45 degrees

// Sizes and places, all decided before anything is drawn.
struct Layout {
  double cell = 0, gap = 0;
  double font = kFont;
  int64_t column_step = 1, row_step = 1;  // every how many-th token has its label
  double left = 0, top = 0;               // the corner of the grid
  double right = 0, bottom = 0;           // totals included
};

class Drawing {
 public:
  Drawing(const HeatMap& map, const PictureOptions& options)
      : map_(map),
        top_(scale_top(map, options.scale)),
        T_(std::ssize(map.columns.tokens)),
        U_(map.token_rows()),
        sketch_(map.title, options.theme) {
    for (const auto& token : map.columns.tokens) columns_.push_back(shorten(visible(token), kLabelColumns));
    for (const auto& token : map.rows.tokens) rows_.push_back(shorten(visible(token), kLabelColumns));
  }

  Picture run() {
    const std::string column_name = one_line(map_.columns.name), row_name = one_line(map_.rows.name);
    if (T_ == 0 || U_ == 0) {
      sketch_.nothing(T_ == 0 && U_ == 0 ? str_cat("no ", column_name, " and no ", row_name, " tokens")
                      : T_ == 0          ? str_cat("no ", column_name, " tokens (", U_, " ", row_name, ")")
                                         : str_cat("no ", row_name, " tokens (", T_, " ", column_name, ")"));
      return std::move(out_);
    }
    lay_out();
    out_.description = str_cat("Attention of ", U_, " ", row_name, " tokens (rows) over ", T_, " ", column_name,
                               " tokens (columns).", map_.totals ? " The last row is the sum of each column." : "");
    sketch_.title();
    grid();
    labels();
    scores();
    legend();
    return std::move(out_);
  }

 private:
  float weight(int64_t u, int64_t t) const { return map_.weights.data<float>()[u * T_ + t]; }

  double label_width(const TokenText& token) const { return text_ems(token.whole()) * layout_.font; }

  // The upper edge of a row; that of the totals stands a little apart.
  double row_top(int64_t u) const {
    return layout_.top + static_cast<double>(u) * layout_.cell + (u == U_ ? kTotalsGap : 0);
  }

  void lay_out() {
    Layout& l = layout_;
    const auto longest = static_cast<double>(std::max(T_, U_));
    l.cell = T_ <= 20 && U_ <= 30 ? 32 : std::clamp(900.0 / longest, 1.0, 26.0);
    l.gap = l.cell >= 8 ? 1 : 0;
    l.font = std::clamp(l.cell * 0.75, 9.0, kFont);
    l.row_step = static_cast<int64_t>(std::ceil((l.font + 1) / l.cell));
    l.column_step = static_cast<int64_t>(std::ceil((l.font + 1) / (l.cell * kSlope * 1.25)));
    double side = kLeastSide, rise = 0, overhang = kMargin;
    for (int64_t u = 0; u < U_; u += l.row_step) side = std::max(side, label_width(rows_[static_cast<size_t>(u)]));
    const double grid_width = static_cast<double>(T_) * l.cell;
    for (int64_t t = 0; t < T_; t += l.column_step) {
      const double reach = (label_width(columns_[static_cast<size_t>(t)]) + l.font) * kSlope;
      rise = std::max(rise, reach);
      overhang = std::max(overhang, (static_cast<double>(t) + 0.5) * l.cell + reach - grid_width);
    }
    if (!map_.row_scores.empty()) overhang = std::max(overhang, 64.0);
    l.left = kMargin + side + kLabelGap;
    l.top = kMargin + sketch_.head() + rise + kLabelGap;
    l.right = l.left + grid_width;
    l.bottom = l.top + static_cast<double>(U_) * l.cell;
    if (map_.totals) l.bottom = row_top(U_) + std::max(l.cell, kLeastTotals);
    out_.width = std::ceil(std::max({l.right + overhang, sketch_.title_width(), l.left + kLegend + 2 * kMargin}));
    out_.height = std::ceil(l.bottom + 58);
  }

  std::string tip(int64_t u, int64_t t) const {
    if (T_ * U_ > kMostTips) return "";
    return visible(map_.columns.tokens[static_cast<size_t>(t)]).whole() + " \u2192 " +
           visible(map_.rows.tokens[static_cast<size_t>(u)]).whole() + ": " + fixed(weight(u, t), 4);
  }

  void grid() {
    const Layout& l = layout_;
    const double g = l.gap;
    background(l.top, static_cast<double>(U_) * l.cell);
    for (int64_t u = 0; u < U_; ++u) {
      bool nothing = true;
      for (int64_t t = 0; t < T_; ++t) {
        nothing = nothing && weight(u, t) == 0;
        cell(u, t, place(weight(u, t), top_), l.cell);
      }
      const double y = row_top(u) + l.cell / 2 - g / 2;
      if (nothing) out_.lines.push_back({l.left + 3, y, l.right - 3 - g, y, sketch_.palette.muted});
    }
    if (!map_.totals) return;
    background(row_top(U_), l.bottom - row_top(U_));
    for (int64_t t = 0; t < T_; ++t) cell(U_, t, place(weight(U_, t), 1), l.bottom - row_top(U_));
  }

  void background(double y, double height) {
    const Layout& l = layout_;
    const double g = l.gap, width = l.right - l.left;
    out_.boxes.push_back({l.left - 1, y - 1, width + 2 - g, height + 2 - g, sketch_.palette.faint, ""});
    if (g == 0) out_.boxes.push_back({l.left, y, width, height, sketch_.palette.background, ""});
  }

  void cell(int64_t u, int64_t t, double place, double height) {
    const Layout& l = layout_;
    const Palette& palette = sketch_.palette;
    const Rgb fill = shade(palette, place);
    if (l.gap == 0 && fill == palette.background) return;
    const double x = l.left + static_cast<double>(t) * l.cell, y = row_top(u);
    out_.boxes.push_back({x, y, l.cell - l.gap, height - l.gap, fill, tip(u, t)});
    if (l.cell < 28 || weight(u, t) < 0.005f) return;
    std::string digits = fixed(weight(u, t), u == U_ && weight(u, t) >= 9.995f ? 1 : 2);
    if (digits.starts_with('0')) digits.erase(0, 1);
    out_.labels.push_back({.x = x + (l.cell - l.gap) / 2,
                           .y = y + l.cell / 2 + 3.5,
                           .spans = {{std::move(digits), readable_on(palette, fill)}},
                           .size = kSmall,
                           .align = Align::middle});
  }

  std::vector<Span> spans(const TokenText& token) const {
    const Palette& palette = sketch_.palette;
    std::vector<Span> out;
    if (!token.prefix.empty()) out.push_back({token.prefix, palette.muted});
    out.push_back({token.body, palette.text});
    if (!token.suffix.empty()) out.push_back({token.suffix, palette.muted});
    return out;
  }

  void labels() {
    const Layout& l = layout_;
    for (int64_t t = 0; t < T_; t += l.column_step)
      out_.labels.push_back({.x = l.left + (static_cast<double>(t) + 0.5) * l.cell + l.font * 0.25,
                             .y = l.top - kLabelGap,
                             .spans = spans(columns_[static_cast<size_t>(t)]),
                             .size = l.font,
                             .angle = -45});
    for (int64_t u = 0; u < U_; u += l.row_step) row_label(u, l.cell);
    if (map_.totals) row_label(U_, l.bottom - row_top(U_));
  }

  void row_label(int64_t u, double height) {
    const Layout& l = layout_;
    out_.labels.push_back({.x = l.left - kLabelGap,
                           .y = row_top(u) + height / 2 + l.font * 0.34 - l.gap / 2,
                           .spans = spans(rows_[static_cast<size_t>(u)]),
                           .size = l.font,
                           .align = Align::end,
                           .bold = u == U_});
  }

  void scores() {
    if (map_.row_scores.empty()) return;
    const Layout& l = layout_;
    const double x = l.right + 44;
    sketch_.write(x, l.top - kLabelGap, "log p", kSmall, Align::end);
    const auto score = [&](int64_t u, double height) {
      sketch_.write(x, row_top(u) + height / 2 + kSmall * 0.34 - l.gap / 2,
                    fixed(map_.row_scores[static_cast<size_t>(u)], 2), kSmall, Align::end);
    };
    for (int64_t u = 0; u < U_; u += l.row_step) score(u, l.cell);
    if (map_.totals) score(U_, l.bottom - row_top(U_));
  }

  void legend() {
    const Layout& l = layout_;
    const double y = l.bottom + 18;
    double x = l.left + kLegend + 20;
    sketch_.scale(l.left, y, top_);
    if (!out_.lines.empty()) {
      out_.lines.push_back({x, y + 5, x + 28, y + 5, sketch_.palette.muted});
      explain(x + 34, y + 9, "looks at nothing");
      x += 36 + text_ems("looks at nothing") * kSmall + 20;
    }
    if (map_.totals) explain(x, y + 9, kTotalsMean);
  }

  void explain(double x, double y, const char* words) {
    out_.width = std::max(out_.width, std::ceil(x + 2 + text_ems(words) * kSmall + kMargin));
    sketch_.write(x, y, words, kSmall);
  }

  const HeatMap& map_;
  const double top_;
  const int64_t T_, U_;
  std::vector<TokenText> columns_, rows_;
  Layout layout_;
  Sketch sketch_;
  Picture& out_ = sketch_.out;
};

}  // namespace

Picture draw(const Figure& figure, const PictureOptions& options) {
  check_figure(figure);
  if (const auto* highlight = std::get_if<Highlight>(&figure)) return draw_highlight(*highlight, options);
  return Drawing(std::get<HeatMap>(figure), options).run();
}

}  // namespace lookback::viz
