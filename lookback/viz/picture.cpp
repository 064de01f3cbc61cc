#include "lookback/viz/picture.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lookback/base/format_number.h"
#include "lookback/viz/picture_parts.h"

namespace lookback::viz {
namespace {

constexpr double kFont = 13, kLabelGap = 7, kTotalsGap = 6, kMarkWidth = 3, kLeastTotals = 10, kNameLine = 20;
constexpr double kLeastSide = 33.99;                // the width kept for the labels of rows
constexpr int64_t kLabelColumns = 26;               // longer tokens are cut
constexpr int64_t kCellColumns = 16;                // longer text in a cell is cut
constexpr int64_t kFewColumns = 12;                 // they may be as wide as their labels
constexpr double kCellPad = 10, kWidestCell = 84;   // around the text of a cell; of a cell widened for its label
constexpr double kSlope = std::numbers::sqrt2 / 2;  // column labels rise at 45 degrees

// Sizes and places, all decided before anything is drawn.
struct Layout {
  double cell = 0, gap = 0;  // the height of a cell, the part of it that is a line
  double width = 0;          // of a cell
  bool level = false;        // the labels of columns do not rise
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
    if (std::max(T_, U_) > kMostTextRows) return;
    for (const auto& words : map.cells) texts_.push_back(words.empty() ? "" : shorten(one_line(words), kCellColumns));
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
    const std::string rows = str_cat(U_, " ", row_name), columns = str_cat(T_, " ", column_name);
    out_.description = map_.cells.empty()
                           ? str_cat("Attention of ", rows, " tokens (rows) over ", columns, " tokens (columns).")
                           : str_cat("A table of ", rows, " (rows) by ", columns, " (columns), shaded by ",
                                     one_line(map_.weight_name), ".");
    if (map_.totals) out_.description += " The last row is the sum of each column.";
    out_.description += mark_description(map_.rows);
    sketch_.title();
    grid();
    labels();
    names();
    scores();
    legend();
    return std::move(out_);
  }

 private:
  float weight(int64_t u, int64_t t) const { return map_.weights.data<float>()[u * T_ + t]; }

  double label_width(const TokenText& token) const { return text_ems(token.whole()) * layout_.font; }
  double row_label_width(int64_t u) const {
    return label_width(rows_[static_cast<size_t>(u)]) * (map_.rows.mark.has(u) ? kBold : 1);
  }

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
    l.width = l.cell;
    if (!map_.cells.empty()) widen();
    l.row_step = static_cast<int64_t>(std::ceil((l.font + 1) / l.cell));
    l.column_step = static_cast<int64_t>(std::ceil((l.font + 1) / (l.width * kSlope * 1.25)));
    double side = kLeastSide, rise = 0, overhang = kMargin;
    if (!map_.cells.empty()) side = std::max(side, text_ems(row_name()) * kSmall * kBold);
    for (int64_t u = 0; u < U_; u += l.row_step) side = std::max(side, row_label_width(u));
    const double grid_width = static_cast<double>(T_) * l.width;
    if (l.level) rise = l.font;
    for (int64_t t = 0; t < T_ && !l.level; t += l.column_step) {
      const double reach = (label_width(columns_[static_cast<size_t>(t)]) + l.font) * kSlope;
      rise = std::max(rise, reach);
      overhang = std::max(overhang, (static_cast<double>(t) + 0.5) * l.width + reach - grid_width);
    }
    if (!map_.row_scores.empty()) overhang = std::max(overhang, 64.0);
    l.left = kMargin + side + kLabelGap;
    l.top = kMargin + sketch_.head() + rise + kLabelGap;
    if (!map_.cells.empty()) l.top += kNameLine, overhang = std::max(overhang, name_width() - grid_width);
    l.right = l.left + grid_width;
    l.bottom = l.top + static_cast<double>(U_) * l.cell;
    if (map_.totals) l.bottom = row_top(U_) + std::max(l.cell, kLeastTotals);
    out_.width = std::ceil(std::max({l.right + overhang, sketch_.title_width(), l.left + kLegend + 2 * kMargin}));
    out_.height = std::ceil(l.bottom + 58);
  }

  // Makes room for the text of the cells and, where columns are few, for their labels.
  void widen() {
    Layout& l = layout_;
    double text = 0, label = 0;
    for (const std::string& words : texts_) text = std::max(text, text_ems(words) * l.font);
    for (const TokenText& token : columns_) label = std::max(label, label_width(token));
    l.width = std::max(l.cell, text + (l.cell < 28 ? kCellPad / 2 : kCellPad));
    l.level = std::max(l.width, label + kCellPad) <= std::max(l.width, T_ <= kFewColumns ? kWidestCell : 0);
    if (l.level) l.width = std::max(l.width, label + kCellPad);
  }

  std::string row_name() const { return shorten(one_line(map_.rows.name), kLabelColumns) + " \u2193"; }
  std::string column_name() const { return shorten(one_line(map_.columns.name), kLabelColumns) + " \u2192"; }
  double name_width() const { return text_ems(column_name()) * kSmall * kBold; }

  std::string tip(int64_t u, int64_t t) const {
    if (T_ * U_ > kMostTips) return "";
    if (!map_.cells.empty() && u < U_)
      return str_cat(one_line(map_.rows.name), " ", visible(map_.rows.tokens[static_cast<size_t>(u)]).whole(), ", ",
                     one_line(map_.columns.name), " ", visible(map_.columns.tokens[static_cast<size_t>(t)]).whole(),
                     ": ", one_line(map_.cells[static_cast<size_t>(u * T_ + t)]), " (", fixed(weight(u, t), 4), ")");
    return visible(map_.columns.tokens[static_cast<size_t>(t)]).whole() + " \u2192 " +
           visible(map_.rows.tokens[static_cast<size_t>(u)]).whole() + ": " + fixed(weight(u, t), 4);
  }

  void grid() {
    const Layout& l = layout_;
    const double g = l.gap;
    background(l.top, static_cast<double>(U_) * l.cell);
    for (int64_t u = 0; u < U_; ++u) {
      bool nothing = map_.cells.empty();
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
    const double x = l.left + static_cast<double>(t) * l.width, y = row_top(u);
    out_.boxes.push_back({x, y, l.width - l.gap, height - l.gap, fill, tip(u, t)});
    const bool text = !texts_.empty() && u < U_;
    std::string words = text ? texts_[static_cast<size_t>(u * T_ + t)] : digits(u, t);
    if (words.empty()) return;
    const double size = text ? l.font : kSmall;
    const Rgb nothing = l.cell < 28 ? palette.faint : palette.muted;  // a hundred zeros should not hide ten numbers
    out_.labels.push_back({.x = x + (l.width - l.gap) / 2,
                           .y = y + l.cell / 2 + (text ? size * 0.34 - l.gap / 2 : 3.5),
                           .spans = {{std::move(words), text && place == 0 ? nothing : readable_on(palette, fill)}},
                           .size = size,
                           .align = Align::middle});
  }

  std::string digits(int64_t u, int64_t t) const {
    if (layout_.cell < 28 || weight(u, t) < 0.005f || (!map_.cells.empty() && u < U_)) return "";
    std::string out = fixed(weight(u, t), u == U_ && weight(u, t) >= 9.995f ? 1 : 2);
    if (out.starts_with('0')) out.erase(0, 1);
    return out;
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
      out_.labels.push_back(
          {.x = l.left + (static_cast<double>(t) + 0.5) * l.width + (l.level ? -l.gap / 2 : l.font * 0.25),
           .y = l.top - kLabelGap,
           .spans = spans(columns_[static_cast<size_t>(t)]),
           .size = l.font,
           .align = l.level ? Align::middle : Align::start,
           .angle = l.level ? 0.0 : -45.0});
    for (int64_t u = 0; u < U_; u += l.row_step) row_label(u, l.cell);
    const Axis::Mark& mark = map_.rows.mark;
    if (!mark.empty())
      out_.boxes.push_back({l.left - 1 - kMarkWidth, row_top(mark.begin), kMarkWidth,
                            row_top(mark.end - 1) + l.cell - l.gap - row_top(mark.begin), sketch_.palette.text, ""});
    if (map_.totals) row_label(U_, l.bottom - row_top(U_));
  }

  void row_label(int64_t u, double height) {
    const Layout& l = layout_;
    out_.labels.push_back({.x = l.left - kLabelGap,
                           .y = row_top(u) + height / 2 + l.font * 0.34 - l.gap / 2,
                           .spans = spans(rows_[static_cast<size_t>(u)]),
                           .size = l.font,
                           .align = Align::end,
                           .bold = u == U_ || map_.rows.mark.has(u)});
  }

  // Of the axes of a table: in its corner, and above the labels of its columns.
  void names() {
    if (map_.cells.empty()) return;
    const Layout& l = layout_;
    sketch_.write(l.left - kLabelGap, l.top - kLabelGap, row_name(), kSmall, Align::end);
    sketch_.write(l.left, kMargin + sketch_.head() + kSmall, column_name(), kSmall);
    for (size_t k = out_.labels.size() - 2; k < out_.labels.size(); ++k) out_.labels[k].bold = true;
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
    sketch_.scale(l.left, y, top_, map_.weight_name);
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
  std::vector<std::string> texts_;  // of the cells, where they are drawn
  Layout layout_;
  Sketch sketch_;
  Picture& out_ = sketch_.out;
};

}  // namespace

Picture draw(const Figure& figure, const PictureOptions& options) {
  check_figure(figure);
  if (const auto* highlight = std::get_if<Highlight>(&figure)) return draw_highlight(*highlight, options);
  if (const auto* chart = std::get_if<Chart>(&figure)) return draw_chart(*chart, options);
  if (const auto* maps = std::get_if<PictureMaps>(&figure)) return draw_picture_maps(*maps, options);
  const HeatMap& map = std::get<HeatMap>(figure);
  return map.columns.seconds > 0 ? draw_time_map(map, options) : Drawing(map, options).run();
}

}  // namespace lookback::viz
