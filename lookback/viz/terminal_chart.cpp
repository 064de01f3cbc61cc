#include <algorithm>
#include <cmath>

#include "lookback/base/utf8.h"
#include "lookback/viz/chart.h"
#include "lookback/viz/terminal_row.h"

namespace lookback::viz {
namespace {

constexpr int64_t kRows[] = {14, 9, 7};  // of one panel, of each of two, of each of more
constexpr int64_t kMostStrips = 40, kMostBar = 24, kMostNumber = 13;
constexpr int64_t kDotsAcross = 2, kDotsDown = 4;  // in a character of braille
// Without colours, the line of the first series is of braille and the others are marks.
constexpr std::string_view kMarks = "ox+*#@%&";
constexpr const char* kDotMark = "\u2022";

// A panel in characters. Places of points are in dots, from its upper left corner on.
class Plot {
 public:
  Plot(int64_t columns, int64_t rows) : columns_(columns), rows_(rows), cells_(static_cast<size_t>(columns * rows)) {}

  struct Cell {
    uint8_t dots = 0;   // of `series`
    bool mark = false;  // a mark instead
    int series = -1;    // that was drawn last
    int band_of = -1;   // the series
    int band = -1;      // and its band
  };
  const Cell& at(int64_t column, int64_t row) const { return cells_[static_cast<size_t>(row * columns_ + column)]; }

  int64_t dots_across() const { return columns_ * kDotsAcross; }
  int64_t dots_down() const { return rows_ * kDotsDown; }

  void dot(int series, int64_t x, int64_t y) {
    constexpr uint8_t kBits[kDotsDown][kDotsAcross] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
    Cell& cell = of(x, y);
    if (cell.series != series || cell.mark) cell.series = series, cell.dots = 0, cell.mark = false;
    cell.dots |= kBits[y % kDotsDown][x % kDotsAcross];
  }
  void mark(int series, int64_t x, int64_t y) {
    Cell& cell = of(x, y);
    cell.series = series, cell.mark = true;
  }
  void segment(int series, int64_t x0, int64_t y0, int64_t x1, int64_t y1) {
    const int64_t steps = std::max(std::abs(x1 - x0), std::abs(y1 - y0));
    for (int64_t k = 0; k <= steps; ++k) {
      const double t = steps == 0 ? 0 : static_cast<double>(k) / static_cast<double>(steps);
      dot(series, std::lround(std::lerp(x0, x1, t)), std::lround(std::lerp(y0, y1, t)));
    }
  }
  void band(int series, int band, int64_t x, int64_t upper, int64_t lower) {
    for (int64_t row = std::min(upper, lower) / kDotsDown; row <= std::max(upper, lower) / kDotsDown; ++row) {
      Cell& cell = cells_[static_cast<size_t>(row * columns_ + x / kDotsAcross)];
      if (cell.band_of == series && cell.band > band) continue;
      cell.band_of = series, cell.band = band;
    }
  }

 private:
  Cell& of(int64_t x, int64_t y) { return cells_[static_cast<size_t>(y / kDotsDown * columns_ + x / kDotsAcross)]; }

  int64_t columns_, rows_;
  std::vector<Cell> cells_;
};

std::string braille(uint8_t dots) {
  std::string out;
  append_utf8(char32_t{0x2800} + dots, out);
  return out;
}

class ChartText {
 public:
  ChartText(const Chart& chart, const TerminalOptions& options)
      : chart_(chart),
        options_(options),
        series_(chart),
        width_(std::max(options.width, kLeastWidth)),
        top_(scale_top(chart, options.scale)),
        n_(std::ssize(chart.x.tokens)) {}

  std::string run() {
    rows_ = kRows[std::clamp<size_t>(chart_.panels.size(), 1, 3) - 1];
    for (const Chart::Panel& panel : chart_.panels) axes_.push_back(value_axis(panel, static_cast<int>(rows_ / 2)));
    lay_out();
    choose_styles();
    out_ = title_line(chart_.title, options_);
    legend();
    for (size_t p = 0; p < chart_.panels.size(); ++p) panel(p);
    strips();
    if (n_ > 0) x_axis();
    if (!chart_.strips.empty()) out_ += "\n" + scale_line(top_, left_, options_, chart_.weight_name);
    bars();
    return std::move(out_);
  }

 private:
  void lay_out() {
    int64_t side = 1;
    for (const ValueAxis& axis : axes_)
      for (const ValueAxis::Tick& tick : axis.ticks) side = std::max(side, display_width(tick.text));
    for (const Chart::Strip& strip : chart_.strips) side = std::max(side, display_width(shown(strip.name)));
    side_ = std::min({side, kMostLabel, width_ / 3});
    left_ = side_ + 2;
    columns_ = width_ - left_;
  }

  static std::string shown(const std::string& name) { return name.empty() ? "" : shorten(one_line(name), kMostLabel); }

  // The dot across a position stands at.
  int64_t x_of(int64_t position) const {
    const double dots = static_cast<double>(columns_ * kDotsAcross);
    return std::min(columns_ * kDotsAcross - 1,
                    static_cast<int64_t>((static_cast<double>(position) + 0.5) * dots / static_cast<double>(n_)));
  }
  int64_t column_of(int64_t position) const { return x_of(position) / kDotsAcross; }

  const std::string& series_style(int series) const { return styles_[static_cast<size_t>(series)].line; }
  const std::string& band_style(int series, int band) const {
    return styles_[static_cast<size_t>(series)].bands[static_cast<size_t>(band)];
  }

  void choose_styles() {
    const Palette& colors = palette(options_.theme);
    for (size_t s = 0; s < series_.all().size(); ++s) {
      const Rgb color = series_color(colors, s);
      // The first is the terminal's own.
      Styles& styles = styles_.emplace_back();
      if (s % kSeriesColors != 0) styles.line = text_style(terminal_nearest(color));
      Rgb band = colors.background;
      for (size_t b = 0; b < series_.all()[s].bands.size(); ++b) {
        band = blend(band, color, kBandOpacity);
        styles.bands.push_back(background_style(terminal_nearest(band)));
      }
    }
  }

  static const char* band_shade(int band) { return kShades[static_cast<size_t>(std::min(band + 1, 3))]; }

  std::string series_mark(int series, bool dots) const {
    if (options_.color || series == 0) return dots ? kDotMark : "";
    return std::string(1, kMarks[static_cast<size_t>(series - 1) % kMarks.size()]);
  }

  static void write(Row& row, std::string_view words, const std::string& style) {
    style.empty() ? row.plain(words) : row.styled(words, style);
  }

  void legend() {
    if (!series_.told()) return;
    Row row(options_.color);
    const auto entry = [&](const std::string& sample, const std::string& style, const std::string& name) {
      const std::string cut = shorten(name, std::min(kMostLabel, width_ - 4));
      if (row.width() > 0 && row.width() + 3 + display_width(sample) + display_width(cut) > width_) {
        out_ += std::move(row).line();
        row = Row(options_.color);
      }
      if (row.width() > 0) row.to(row.width() + 2);
      if (!sample.empty()) write(row, sample, style), row.to(row.width() + 1);
      row.dim(cut);
    };
    const size_t drawn = std::min(series_.all().size(), kMostSeries);
    for (size_t s = 0; s < drawn; ++s) {
      const Series& one = series_.all()[s];
      const int number = static_cast<int>(s);
      const std::string mark = series_mark(number, one.dots);
      if (!one.name.empty()) entry(mark.empty() ? "\u2812\u2812" : mark, series_style(number), one_line(one.name));
      for (size_t b = 0; b < one.bands.size(); ++b) {
        const int band = static_cast<int>(b);
        if (one.bands[b].name.empty()) continue;
        entry(options_.color ? "  " : repeated(band_shade(band), 2), band_style(number, band),
              one_line(one.bands[b].name));
      }
    }
    if (drawn < series_.all().size()) entry("", "", str_cat("… and ", series_.all().size() - drawn, " more"));
    out_ += std::move(row).line();
  }

  void panel(size_t p) {
    const Chart::Panel& panel = chart_.panels[p];
    if (p > 0 && panel.name.empty()) out_ += "\n";
    head(panel.name, p == 0);
    Plot plot(columns_, rows_);
    draw(panel, axes_[p], plot);
    std::vector<std::string> ticks(static_cast<size_t>(rows_));
    for (const ValueAxis::Tick& tick : axes_[p].ticks)
      ticks[static_cast<size_t>(y_of(axes_[p], tick.value) / kDotsDown)] = tick.text;
    std::vector<bool> ruled(static_cast<size_t>(columns_));
    for (const Chart::Rule& rule : chart_.rules) ruled[static_cast<size_t>(column_of(rule.position))] = true;
    for (int64_t r = 0; r < rows_; ++r) {
      Row row(options_.color);
      const std::string tick = shorten(ticks[static_cast<size_t>(r)], side_);
      row.to(side_ - display_width(tick));
      if (!tick.empty()) row.dim(tick);
      row.to(side_ + 1);
      row.dim(tick.empty() ? "\u2502" : "\u2524");
      for (int64_t c = 0; c < columns_; ++c) cell(row, plot.at(c, r), ruled[static_cast<size_t>(c)]);
      out_ += std::move(row).line();
    }
  }

  // The line above a panel: its name and, above the first, those of the rules that do not overlap.
  void head(const std::string& name, bool first) {
    Row row(options_.color);
    if (!name.empty()) row.dim(shorten(one_line(name), width_));
    for (const Chart::Rule& rule : chart_.rules) {
      const std::string words = first ? shown(rule.name) : "";
      if (words.empty()) continue;
      const int64_t wide = display_width(words);
      const int64_t at = std::min(left_ + column_of(rule.position) - (wide - 1) / 2, width_ - wide);
      if (at < 0 || (row.width() > 0 && at < row.width() + 2)) continue;
      row.to(at);
      row.dim(words);
    }
    if (row.width() > 0) out_ += std::move(row).line();
  }

  int64_t y_of(const ValueAxis& axis, double value) const {
    return std::lround((1 - axis.place(value)) * static_cast<double>(rows_ * kDotsDown - 1));
  }

  void draw(const Chart::Panel& panel, const ValueAxis& axis, Plot& plot) const {
    // Series after series, so that what came later stands above.
    std::vector<std::vector<const Chart::Line*>> lines(series_.all().size());
    for (const Chart::Line& line : panel.lines) lines[series_(line)].push_back(&line);
    for (size_t s = 0; s < lines.size(); ++s)
      for (const Chart::Line* line : lines[s])
        for (const Chart::Band& band : line->bands) draw_band(band, *line, axis, plot);
    for (size_t s = 0; s < lines.size(); ++s)
      for (const Chart::Line* line : lines[s]) draw_line(*line, static_cast<int>(s), axis, plot);
  }

  void draw_line(const Chart::Line& line, int series, const ValueAxis& axis, Plot& plot) const {
    const bool marks = !series_mark(series, series_.all()[static_cast<size_t>(series)].dots).empty();
    bool before = false;
    int64_t x0 = 0, y0 = 0;
    for (size_t k = 0; k < line.values.size(); ++k) {
      const bool here = !std::isnan(line.values[k]);
      if (here) {
        const int64_t x = x_of(line.first + static_cast<int64_t>(k)), y = y_of(axis, line.values[k]);
        if (marks)
          plot.mark(series, x, y);
        else
          before ? plot.segment(series, x0, y0, x, y) : plot.dot(series, x, y);
        x0 = x, y0 = y;
      }
      before = here;
    }
  }

  void draw_band(const Chart::Band& band, const Chart::Line& line, const ValueAxis& axis, Plot& plot) const {
    const size_t s = series_(line);
    const auto& all = series_.all()[s].bands;
    const int series = static_cast<int>(s);
    const int number = static_cast<int>(std::ranges::find(all, band.name, &SeriesBand::name) - all.begin());
    bool before = false;
    int64_t x0 = 0, low0 = 0, high0 = 0;
    for (size_t k = 0; k < band.low.size(); ++k) {
      const bool here = !std::isnan(band.low[k]) && !std::isnan(band.high[k]);
      if (here) {
        const int64_t x = x_of(line.first + static_cast<int64_t>(k));
        const int64_t low = y_of(axis, band.low[k]), high = y_of(axis, band.high[k]);
        for (int64_t at = before ? x0 : x; at <= x; ++at) {
          const double t = x == x0 || !before ? 1 : static_cast<double>(at - x0) / static_cast<double>(x - x0);
          plot.band(series, number, at, std::lround(std::lerp(high0, high, t)), std::lround(std::lerp(low0, low, t)));
        }
        x0 = x, low0 = low, high0 = high;
      }
      before = here;
    }
  }

  void cell(Row& row, const Plot::Cell& cell, bool ruled) const {
    const std::string under = cell.band >= 0 ? band_style(cell.band_of, cell.band) : "";
    const auto over = [&](std::string_view words, const std::string& style) {
      write(row, words, under.empty() ? style : style.empty() ? under : under + ";" + style);
    };
    if (cell.series >= 0) {
      const bool dots = series_.all()[static_cast<size_t>(cell.series)].dots;
      std::string style = series_style(cell.series);
      // The terminal's own text may be of the colour of the band.
      if (style.empty() && !under.empty()) style = text_style(options_.theme == Theme::dark ? 231 : 16);
      return over(cell.mark ? series_mark(cell.series, dots) : braille(cell.dots), style);
    }
    if (cell.band >= 0 && !options_.color) return row.plain(band_shade(cell.band));
    if (ruled) return over("\u250A", under.empty() ? "2" : "");
    over(" ", "");
  }

  void strips() {
    const auto drawn = std::min<size_t>(chart_.strips.size(), kMostStrips);
    if (drawn > 0 && chart_.panels.empty()) head("", true);
    for (size_t s = 0; s < drawn; ++s) {
      const Chart::Strip& strip = chart_.strips[s];
      const std::string name = shorten(shown(strip.name), side_);
      Row row(options_.color);
      row.to(side_ - display_width(name));
      row.dim(name);
      row.to(left_);
      for (int64_t c = 0; c < columns_; ++c) strip_cell(row, strip, c);
      out_ += std::move(row).line();
    }
    if (drawn < chart_.strips.size())
      out_ += dim_line(str_cat("… and ", chart_.strips.size() - drawn, " more"), options_);
  }

  void strip_cell(Row& row, const Chart::Strip& strip, int64_t column) const {
    const int64_t begin = n_ * column / columns_, end = std::max(begin + 1, n_ * (column + 1) / columns_);
    const int64_t from = std::max(begin, strip.first), to = std::min(end, strip.first + std::ssize(strip.weights));
    if (from >= to) return row.plain(" ");
    const auto first = strip.weights.begin() - strip.first;
    const double at = place(*std::max_element(first + from, first + to), top_);
    if (!options_.color) return row.plain(kShades[shade_level(at)]);
    const int color = terminal_color(options_.theme, at);
    color < 0 ? row.dim(kShades[0]) : row.styled(" ", background_style(color));
  }

  void x_axis() {
    const double step = static_cast<double>(columns_) / static_cast<double>(n_);
    // A character is wholly in a column: half of one is kept free on either side.
    const LabelRoom room{.step = step,
                         .gap = 3,
                         .left = static_cast<double>(-left_),
                         .right = static_cast<double>(columns_),
                         .width = [](const std::string& text) { return static_cast<double>(display_width(text) + 1); }};
    Row line(options_.color), words(options_.color);
    std::string ruler = "\u2514";
    int64_t drawn = 0;
    for (const auto& [position, text] : axis_labels(chart_.x.tokens, room)) {
      const int64_t column = column_of(position), wide = display_width(text);
      const int64_t at = std::clamp<int64_t>(left_ + column - (wide - 1) / 2, 0, std::max<int64_t>(0, width_ - wide));
      if (wide == 0 || (words.width() > 0 && at <= words.width())) continue;
      ruler += repeated("\u2500", column - drawn) + "\u252C";
      drawn = column + 1;
      words.to(at);
      words.dim(text);
    }
    line.to(left_ - 1);
    line.dim(ruler + repeated("\u2500", columns_ - drawn));
    out_ += std::move(line).line();
    if (words.width() > 0) out_ += std::move(words).line();
    if (chart_.x.name.empty()) return;
    const std::string name = shorten(shown(chart_.x.name), width_);
    Row row(options_.color);
    row.to(std::min(left_ + (columns_ - display_width(name)) / 2, width_ - display_width(name)));
    row.dim(name);
    out_ += std::move(row).line();
  }

  void bars() {
    if (chart_.bars.empty()) return;
    int64_t side = 0, number = 0;
    const std::vector<BarGroup> groups = bar_groups(chart_);
    for (const BarGroup& group : groups)
      for (const Chart::Bar* bar : group.bars) {
        side = std::max(side, display_width(shown(bar->name)));
        number = std::max(number, display_width(value_text(bar->value)));
      }
    side = std::min(side, width_ / 3);
    number = std::min({number, kMostNumber, width_ / 3});
    const int64_t room = std::min(kMostBar, width_ - side - number - 2);
    for (const BarGroup& group : groups) {
      out_ += "\n";
      if (!group.name.empty()) out_ += dim_line(one_line(group.name), options_);
      for (const Chart::Bar* bar : group.bars) one_bar(*bar, side, room, number);
    }
    if (const std::string more = more_bars(chart_); !more.empty()) out_ += dim_line(more, options_);
  }

  void one_bar(const Chart::Bar& bar, int64_t side, int64_t room, int64_t number) {
    const Extent extent = bar_extent(chart_);
    const auto share = [&](double v) { return std::abs(v / 2) / (extent.high / 2 - extent.low / 2); };
    const int64_t zero = std::lround(share(extent.low) * static_cast<double>(room));
    const std::string name = shorten(shown(bar.name), side);
    Row row(options_.color);
    row.to(side - display_width(name));
    row.plain(name);
    row.to(side + 1);
    const auto below = std::min(zero, static_cast<int64_t>(std::lround(share(bar.value) * static_cast<double>(room))));
    const std::string blocks = bar.value < 0 ? repeated("\u2588", below)
                                             : block_bar(share(bar.value) * static_cast<double>(room) /
                                                             static_cast<double>(std::max<int64_t>(1, room - zero)),
                                                         room - zero);
    row.to(side + 1 + (bar.value < 0 ? zero - below : zero));
    if (!blocks.empty()) row.styled(blocks, text_style(terminal_color(options_.theme, 1)));
    row.to(side + 2 + room);
    row.plain(shorten(value_text(bar.value), number));
    out_ += std::move(row).line();
  }

  const Chart& chart_;
  const TerminalOptions& options_;
  const SeriesOf series_;
  struct Styles {
    std::string line;
    std::vector<std::string> bands;
  };
  std::vector<Styles> styles_;  // of the series
  const int64_t width_;
  const double top_;  // of the scale of the strips
  const int64_t n_;
  std::vector<ValueAxis> axes_;
  int64_t rows_ = 0;                           // of each panel
  int64_t side_ = 0, left_ = 0, columns_ = 0;  // of what is left of the plots; where they begin; their width
  std::string out_;
};

}  // namespace

std::string chart_on_terminal(const Chart& chart, const TerminalOptions& options) {
  return ChartText(chart, options).run();
}

}  // namespace lookback::viz
