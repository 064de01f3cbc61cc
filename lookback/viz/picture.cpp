#include "lookback/viz/picture.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

constexpr double kMargin = 16, kFont = 13, kSmall = 11, kTitle = 15, kLabelGap = 7, kLegend = 120;
constexpr int64_t kLabelColumns = 26;               // longer tokens are cut
constexpr int64_t kMostTips = 4000;                 // cells that still get a tooltip each
constexpr double kSlope = std::numbers::sqrt2 / 2;  // column labels rise at 45 degrees

// Sizes and places, all decided before anything is drawn.
struct Layout {
  double cell = 0, gap = 0;
  double font = kFont;
  int64_t column_step = 1, row_step = 1;  // every how many-th token has its label
  double left = 0, top = 0;               // the corner of the grid
  double right = 0, bottom = 0;
  double width = 0, height = 0;
};

class Drawing {
 public:
  Drawing(const AttentionMap& map, const PictureOptions& options)
      : map_(map),
        palette_(palette(options.theme)),
        top_(scale_top(map, options.scale)),
        T_(static_cast<int64_t>(map.source.size())),
        U_(static_cast<int64_t>(map.target.size())) {
    for (const auto& token : map.source) source_.push_back(shorten(visible(token), kLabelColumns));
    for (const auto& token : map.target) target_.push_back(shorten(visible(token), kLabelColumns));
    out_.background = palette_.background;
    out_.title = one_line(map.title);
  }

  Picture run() {
    if (T_ == 0 || U_ == 0) return nothing();
    lay_out();
    out_.description = str_cat("Attention of ", U_, " target tokens (rows) over ", T_, " source tokens (columns).");
    title();
    grid();
    labels();
    scores();
    legend();
    return std::move(out_);
  }

 private:
  float weight(int64_t u, int64_t t) const { return map_.weights.data<float>()[u * T_ + t]; }

  double label_width(const TokenText& token) const { return text_ems(token.whole()) * layout_.font; }

  void lay_out() {
    Layout& l = layout_;
    const auto longest = static_cast<double>(std::max(T_, U_));
    l.cell = T_ <= 20 && U_ <= 30 ? 32 : std::clamp(900.0 / longest, 1.0, 26.0);
    l.gap = l.cell >= 8 ? 1 : 0;
    l.font = std::clamp(l.cell * 0.75, 9.0, kFont);
    l.row_step = static_cast<int64_t>(std::ceil((l.font + 1) / l.cell));
    l.column_step = static_cast<int64_t>(std::ceil((l.font + 1) / (l.cell * kSlope * 1.25)));
    double side = text_ems("target") * kSmall, rise = 0, overhang = kMargin;
    for (int64_t u = 0; u < U_; u += l.row_step) side = std::max(side, label_width(target_[static_cast<size_t>(u)]));
    const double grid_width = static_cast<double>(T_) * l.cell;
    for (int64_t t = 0; t < T_; t += l.column_step) {
      const double reach = (label_width(source_[static_cast<size_t>(t)]) + l.font) * kSlope;
      rise = std::max(rise, reach);
      overhang = std::max(overhang, (static_cast<double>(t) + 0.5) * l.cell + reach - grid_width);
    }
    if (!map_.target_scores.empty()) overhang = std::max(overhang, 64.0);
    const double head = out_.title.empty() ? 0 : kTitle + 14;
    l.left = kMargin + side + kLabelGap;
    l.top = kMargin + head + rise + kLabelGap;
    l.right = l.left + grid_width;
    l.bottom = l.top + static_cast<double>(U_) * l.cell;
    const double title_width = std::min(text_ems(out_.title) * kTitle * 1.08, 640.0) + 2 * kMargin;
    l.width = std::ceil(std::max({l.right + overhang, title_width, l.left + kLegend + 2 * kMargin}));
    l.height = std::ceil(l.bottom + 58);
    out_.width = l.width, out_.height = l.height;
  }

  void write(double x, double y, std::string words, double size, Align align = Align::start) {
    out_.labels.push_back(
        {.x = x, .y = y, .spans = {{std::move(words), palette_.muted}}, .size = size, .align = align});
  }

  void title() {
    if (out_.title.empty()) return;
    std::string words = out_.title;
    const double room = (out_.width - 2 * kMargin) / (kTitle * 1.08);
    for (int64_t columns = display_width(words); text_ems(words) > room && columns > 1; --columns)
      words = shorten(out_.title, columns);
    out_.labels.push_back({.x = kMargin,
                           .y = kMargin + kTitle - 2,
                           .spans = {{std::move(words), palette_.text}},
                           .size = kTitle,
                           .bold = true});
  }

  std::string tip(int64_t u, int64_t t) const {
    if (T_ * U_ > kMostTips) return "";
    return visible(map_.source[static_cast<size_t>(t)]).whole() + " \u2192 " +
           visible(map_.target[static_cast<size_t>(u)]).whole() + ": " + fixed(weight(u, t), 4);
  }

  void grid() {
    const Layout& l = layout_;
    const double g = l.gap;
    out_.boxes.push_back(
        {l.left - 1, l.top - 1, l.right - l.left + 2 - g, l.bottom - l.top + 2 - g, palette_.faint, ""});
    if (g == 0) out_.boxes.push_back({l.left, l.top, l.right - l.left, l.bottom - l.top, palette_.background, ""});
    for (int64_t u = 0; u < U_; ++u) {
      bool nothing = true;
      for (int64_t t = 0; t < T_; ++t) {
        nothing = nothing && weight(u, t) == 0;
        cell(u, t);
      }
      const double y = l.top + (static_cast<double>(u) + 0.5) * l.cell - g / 2;
      if (nothing) out_.lines.push_back({l.left + 3, y, l.right - 3 - g, y, palette_.muted});
    }
  }

  void cell(int64_t u, int64_t t) {
    const Layout& l = layout_;
    const double w = place(weight(u, t), top_);
    const Rgb fill = shade(palette_, w);
    if (l.gap == 0 && fill == palette_.background) return;
    const double x = l.left + static_cast<double>(t) * l.cell, y = l.top + static_cast<double>(u) * l.cell;
    out_.boxes.push_back({x, y, l.cell - l.gap, l.cell - l.gap, fill, tip(u, t)});
    if (l.cell < 28 || weight(u, t) < 0.005f) return;
    std::string digits = fixed(weight(u, t), 2);
    if (digits.starts_with('0')) digits.erase(0, 1);
    out_.labels.push_back({.x = x + (l.cell - l.gap) / 2,
                           .y = y + l.cell / 2 + 3.5,
                           .spans = {{std::move(digits), readable_on(palette_, fill)}},
                           .size = kSmall,
                           .align = Align::middle});
  }

  std::vector<Span> spans(const TokenText& token) const {
    std::vector<Span> out;
    if (!token.prefix.empty()) out.push_back({token.prefix, palette_.muted});
    out.push_back({token.body, palette_.text});
    if (!token.suffix.empty()) out.push_back({token.suffix, palette_.muted});
    return out;
  }

  void labels() {
    const Layout& l = layout_;
    for (int64_t t = 0; t < T_; t += l.column_step)
      out_.labels.push_back({.x = l.left + (static_cast<double>(t) + 0.5) * l.cell + l.font * 0.25,
                             .y = l.top - kLabelGap,
                             .spans = spans(source_[static_cast<size_t>(t)]),
                             .size = l.font,
                             .angle = -45});
    for (int64_t u = 0; u < U_; u += l.row_step)
      out_.labels.push_back({.x = l.left - kLabelGap,
                             .y = l.top + (static_cast<double>(u) + 0.5) * l.cell + l.font * 0.34 - l.gap / 2,
                             .spans = spans(target_[static_cast<size_t>(u)]),
                             .size = l.font,
                             .align = Align::end});
  }

  void scores() {
    if (map_.target_scores.empty()) return;
    const Layout& l = layout_;
    const double x = l.right + 44;
    write(x, l.top - kLabelGap, "log p", kSmall, Align::end);
    for (int64_t u = 0; u < U_; u += l.row_step)
      write(x, l.top + (static_cast<double>(u) + 0.5) * l.cell + kSmall * 0.34 - l.gap / 2,
            fixed(map_.target_scores[static_cast<size_t>(u)], 2), kSmall, Align::end);
  }

  void legend() {
    const Layout& l = layout_;
    constexpr int kSteps = 40;
    const double y = l.bottom + 18, step = kLegend / kSteps;
    out_.boxes.push_back({l.left - 1, y - 1, kLegend + 2, 12, palette_.faint, ""});
    for (int k = 0; k < kSteps; ++k)
      out_.boxes.push_back({l.left + k * step, y, step, 10, shade(palette_, (k + 0.5) / kSteps), ""});
    write(l.left, y + 24, "0", kSmall, Align::middle);
    const std::string end = top_ == 1 ? "1" : fixed(top_, top_ < 0.1 ? 3 : 2);
    write(l.left + kLegend, y + 24, end, kSmall, Align::middle);
    write(l.left + kLegend / 2, y + 24, "weight", kSmall, Align::middle);
    if (out_.lines.empty()) return;
    const double x = l.left + kLegend + 20, needed = 36 + text_ems("looks at nothing") * kSmall;
    out_.width = std::max(out_.width, std::ceil(x + needed + kMargin));
    out_.lines.push_back({x, y + 5, x + 28, y + 5, palette_.muted});
    write(x + 34, y + 9, "looks at nothing", kSmall);
  }

  Picture nothing() {
    std::string why = T_ == 0 && U_ == 0 ? "no source and no target tokens"
                      : T_ == 0          ? str_cat("no source tokens (", U_, " target)")
                                         : str_cat("no target tokens (", T_, " source)");
    out_.description = "Nothing to draw: " + why + ".";
    out_.width = 360, out_.height = out_.title.empty() ? 64 : 90;
    title();
    const double y = out_.height - 48;
    out_.boxes.push_back({kMargin, y, out_.width - 2 * kMargin, 32, palette_.faint, ""});
    out_.boxes.push_back({kMargin + 1, y + 1, out_.width - 2 * kMargin - 2, 30, palette_.background, ""});
    write(out_.width / 2, y + 20, "Nothing to draw: " + why, kSmall, Align::middle);
    return std::move(out_);
  }

  const AttentionMap& map_;
  const Palette& palette_;
  const double top_;
  const int64_t T_, U_;
  std::vector<TokenText> source_, target_;
  Layout layout_;
  Picture out_;
};

}  // namespace

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

Picture draw(const AttentionMap& map, const PictureOptions& options) {
  check_map(map);
  return Drawing(map, options).run();
}

}  // namespace lookback::viz
