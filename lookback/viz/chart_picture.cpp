#include <algorithm>
#include <cmath>
#include <set>

#include "lookback/base/format_number.h"
#include "lookback/viz/chart.h"
#include "lookback/viz/picture_parts.h"

namespace lookback::viz {
namespace {

constexpr double kPlot = 680, kPlotGap = 16, kNameLine = 18, kSideGap = 8, kPad = 6;
constexpr double kHeights[] = {260, 190, 150};  // of one panel, of each of two, of each of more
constexpr double kLineWidth = 1.75, kThinLine = 1, kDot = 4.5;
constexpr double kEntryGap = 18, kEntryLine = 18, kSwatch = 22;
constexpr double kTipWidth = 2;  // the narrowest place that can be pointed at
constexpr struct { double width = 120, height = 11, line = 17; } kBar;
// Lines are told apart in print by these, too. The first two are far apart in lightness.
const std::vector<double> kDashes[] = {{}, {}, {7, 4}, {2, 4}, {10, 4, 2, 4}, {14, 5}, {4, 3}};

// Points that fall into one column of pixels become the first, the least, the largest and the last of them.
std::vector<Point> reduced(const std::vector<Point>& run) {
  std::vector<Point> out;
  for (size_t begin = 0, end = 0; begin < run.size(); begin = end) {
    while (end < run.size() && std::floor(run[end].x) == std::floor(run[begin].x)) ++end;
    const auto first = run.begin() + static_cast<std::ptrdiff_t>(begin),
               last = run.begin() + static_cast<std::ptrdiff_t>(end);
    if (end - begin <= 4) {
      out.insert(out.end(), first, last);
      continue;
    }
    auto [low, high] = std::minmax_element(first, last, [](Point a, Point b) { return a.y < b.y; });
    if (high < low) std::swap(low, high);
    out.insert(out.end(), {*first, *low, *high, last[-1]});
  }
  return out;
}

// The path of all lines of a series. Of runs that lie within one column of pixels, what they cover is kept.
class LinePath {
 public:
  LinePath(bool dots, Path& path) : dots_(dots), path_(path) {}

  void add(const std::vector<Point>& run) {
    if (run.empty()) return;
    if (dots_) return dot_each(reduced(run));
    if (std::floor(run.front().x) != std::floor(run.back().x)) return path_.runs.push_back(reduced(run));
    for (const Point p : run) columns_[std::floor(p.x)].add(p.y);
  }

  // What was kept.
  void finish() {
    for (const auto& [x, y] : columns_) {
      std::vector<Point>& run = path_.runs.emplace_back();
      run.push_back({x + 0.5, y.low});
      if (y.high > y.low) run.push_back({x + 0.5, y.high});
    }
  }

 private:
  void dot_each(const std::vector<Point>& run) {
    for (const Point p : run)
      if (seen_.insert({std::lround(p.x * 2), std::lround(p.y * 2)}).second) path_.runs.push_back({p});
  }

  const bool dots_;
  Path& path_;
  std::map<double, Extent> columns_;
  std::set<std::pair<int64_t, int64_t>> seen_;
};

class ChartDrawing {
 public:
  ChartDrawing(const Chart& chart, const PictureOptions& options)
      : chart_(chart),
        series_(chart),
        top_(scale_top(chart, options.scale)),
        n_(std::ssize(chart.x.tokens)),
        sketch_(chart.title, options.theme) {}

  Picture run() {
    for (const Chart::Panel& panel : chart_.panels)
      axes_.push_back(value_axis(panel, chart_.panels.size() > 1 ? 4 : 6));
    lay_out();
    y_ = kMargin + sketch_.head();
    describe();
    legend();
    for (size_t p = 0; p < chart_.panels.size(); ++p) panel(p);
    if (!chart_.panels.empty()) rules();
    if (!chart_.strips.empty()) strips();
    if (chart_.panels.empty()) rules();
    if (n_ > 0) x_axis();
    if (!chart_.strips.empty()) {
      sketch_.scale(left_, y_ + 6, top_, chart_.weight_name);
      y_ += 46;
    }
    bars();
    out_.height = std::ceil(y_ + kMargin / 2);
    sketch_.title();
    return std::move(out_);
  }

 private:
  static std::string shown(const std::string& name) {
    return name.empty() ? "" : shorten(one_line(name), kNameColumns);
  }

  double step() const { return kPlot / static_cast<double>(n_); }
  double x_of(int64_t position) const { return left_ + (static_cast<double>(position) + 0.5) * step(); }
  Rgb color(size_t series) const { return series_color(sketch_.palette, series); }

  void lay_out() {
    double side = 20;
    for (const ValueAxis& axis : axes_)
      for (const ValueAxis::Tick& tick : axis.ticks) side = std::max(side, text_ems(tick.text) * kSmall);
    for (const Chart::Strip& strip : chart_.strips) side = std::max(side, text_ems(shown(strip.name)) * kSmall);
    left_ = std::ceil(kMargin + side + kSideGap);
    right_ = left_ + kPlot;
    out_.width = std::max(right_ + 2 * kMargin, std::ceil(sketch_.title_width()));
  }

  void describe() {
    std::string& d = out_.description;
    if (!chart_.panels.empty()) {
      d = str_cat("A chart of ", n_, " positions");
      if (!chart_.x.name.empty()) d += str_cat(" (", one_line(chart_.x.name), ")");
      std::string names;
      for (size_t s = 0; s < std::min(series_.all().size(), kMostSeries); ++s)
        if (!series_.all()[s].name.empty()) names += (names.empty() ? ": " : ", ") + shown(series_.all()[s].name);
      d += names + ".";
    }
    const auto tell = [&](const std::string& words) { d += (d.empty() ? "" : " ") + words; };
    if (!chart_.strips.empty())
      tell(str_cat(chart_.strips.size(), " strips shaded by ", one_line(chart_.weight_name), "."));
    if (!chart_.bars.empty()) {
      const auto most = std::ranges::max_element(chart_.bars, {}, &Chart::Bar::value);
      tell(str_cat(chart_.bars.size(), " bars, the longest that of ", shown(most->name), ": ", value_text(most->value),
                   "."));
    }
  }

  // Each series and its bands, in lines as wide as the picture.
  void legend() {
    if (!series_.told()) return;
    double x = left_;
    const auto entry = [&](const std::string& name, double swatch, auto&& draw) {
      const double width = swatch + 6 + text_ems(name) * kSmall;
      if (x > left_ && x + width > right_) x = left_, y_ += kEntryLine;
      draw(x, y_ + 6);
      if (!name.empty()) sketch_.write(x + swatch + 6, y_ + 10, name, kSmall);
      x += width + kEntryGap;
    };
    const size_t drawn = std::min(series_.all().size(), kMostSeries);
    for (size_t s = 0; s < drawn; ++s) {
      const Series& one = series_.all()[s];
      if (!one.name.empty())
        entry(shown(one.name), one.dots ? kDot : kSwatch, [&](double at, double y) {
          if (one.dots) return out_.paths.push_back({.runs = {{{at + kDot / 2, y}}}, .color = color(s), .width = kDot});
          out_.paths.push_back(
              {.runs = {{{at, y}, {at + kSwatch, y}}}, .color = color(s), .width = kLineWidth, .dashes = dashes(s)});
        });
      for (size_t b = 0; b < one.bands.size(); ++b)
        if (!one.bands[b].name.empty())
          entry(shown(one.bands[b].name), 14, [&](double at, double y) {
            for (size_t below = 0; below <= b; ++below)  // as dark as where they lie over each other
              out_.paths.push_back({.runs = {{{at, y - 5}, {at + 14, y - 5}, {at + 14, y + 5}, {at, y + 5}}},
                                    .color = color(s),
                                    .opacity = kBandOpacity});
          });
    }
    if (drawn < series_.all().size())
      entry(str_cat("… and ", series_.all().size() - drawn, " more"), 0, [](double, double) {});
    y_ += kEntryLine + 8;
  }

  // None where points lie so near that dashes would tell nothing.
  std::vector<double> dashes(size_t s) const {
    return step() < kTipWidth ? std::vector<double>() : kDashes[s % kSeriesColors];
  }

  void panel(size_t p) {
    const Chart::Panel& panel = chart_.panels[p];
    const double height = kHeights[std::min<size_t>(chart_.panels.size(), 3) - 1];
    if (p > 0) y_ += kPlotGap;
    if (!panel.name.empty())
      sketch_.write(kMargin, y_ + kSmall, shorten(one_line(panel.name), 2 * kNameColumns), kSmall);
    name_end_ =
        p == 0 && !panel.name.empty() ? out_.labels.back().x + text_ems(out_.labels.back().spans[0].text) * kSmall : 0;
    if (p == 0) rule_names_ = y_ + kSmall;
    if (!panel.name.empty() || (p == 0 && has_named_rule())) y_ += kNameLine;
    const double foot = y_ + height;
    const auto y_of = [&](double value) { return foot - axes_[p].place(value) * height; };
    for (const ValueAxis::Tick& tick : axes_[p].ticks) {
      const double y = std::round(y_of(tick.value));
      out_.boxes.push_back({left_, y, kPlot, 1, sketch_.palette.faint, ""});
      sketch_.write(left_ - kSideGap, y + kSmall * 0.38, tick.text, kSmall, Align::end);
    }
    if (p == 0) plots_top_ = y_;
    series(panel, y_of);
    tips(panel, height);
    y_ = foot;
  }

  bool has_named_rule() const {
    return std::ranges::any_of(chart_.rules, [](const Chart::Rule& r) { return !r.name.empty(); });
  }

  // Bands of all series, then their lines, each above those that came before it.
  template <class YOf>
  void series(const Chart::Panel& panel, YOf&& y_of) {
    const auto& all = series_.all();
    std::vector<std::vector<Path>> bands(all.size());
    std::vector<Path> lines(all.size());
    std::vector<LinePath> into;
    for (size_t s = 0; s < all.size(); ++s) {
      bands[s].assign(all[s].bands.size(), {.runs = {}, .color = color(s), .opacity = kBandOpacity});
      lines[s] = {.runs = {},
                  .color = color(s),
                  .width = line_width(all[s].dots),
                  .dashes = all[s].dots ? std::vector<double>() : dashes(s)};
      into.emplace_back(all[s].dots, lines[s]);
    }
    for (const Chart::Line& line : panel.lines) {
      const size_t s = series_(line);
      for (const Chart::Band& band : line.bands) {
        const auto b = std::ranges::find(all[s].bands, band.name, &SeriesBand::name) - all[s].bands.begin();
        add_band(band, line.first, y_of, bands[s][static_cast<size_t>(b)]);
      }
      std::vector<Point> run;
      for (size_t k = 0; k < line.values.size(); ++k) {
        if (std::isnan(line.values[k])) {
          into[s].add(run);
          run.clear();
        } else {
          run.push_back({x_of(line.first + static_cast<int64_t>(k)), y_of(line.values[k])});
        }
      }
      into[s].add(run);
    }
    for (auto& of_series : bands)
      for (Path& path : of_series)
        if (!path.runs.empty()) out_.paths.push_back(std::move(path));
    for (size_t s = 0; s < all.size(); ++s) {
      into[s].finish();
      if (!lines[s].runs.empty()) add_line(std::move(lines[s]));
    }
  }

  double line_width(bool dots) const {
    return dots ? std::clamp(step() * 0.9, 2.5, kDot) : step() < 1 ? kThinLine : kLineWidth;
  }

  // Values between gaps are dots, a little larger than the line is wide.
  void add_line(Path line) {
    Path alone = line;
    std::erase_if(line.runs, [](const auto& run) { return run.size() == 1; });
    std::erase_if(alone.runs, [](const auto& run) { return run.size() > 1; });
    if (line.width <= kLineWidth) alone.width = step() < 1 ? kLineWidth : kDot - 1;
    alone.dashes.clear();
    if (!line.runs.empty()) out_.paths.push_back(std::move(line));
    if (!alone.runs.empty()) out_.paths.push_back(std::move(alone));
  }

  template <class YOf>
  void add_band(const Chart::Band& band, int64_t first, YOf&& y_of, Path& path) {
    std::vector<Point> upper, lower;
    const auto finish = [&] {
      if (upper.size() == 1) {  // one step alone is as wide as its cell
        const double half = std::max(step(), 1.0) / 2;
        upper = {{upper[0].x - half, upper[0].y}, {upper[0].x + half, upper[0].y}};
        lower = {{lower[0].x - half, lower[0].y}, {lower[0].x + half, lower[0].y}};
      }
      if (!upper.empty()) {
        std::vector<Point> run = covering(upper, true);
        const std::vector<Point> back = covering(lower, false);
        run.insert(run.end(), back.rbegin(), back.rend());
        path.runs.push_back(std::move(run));
      }
      upper.clear(), lower.clear();
    };
    for (size_t k = 0; k < band.low.size(); ++k) {
      if (std::isnan(band.low[k]) || std::isnan(band.high[k])) {
        finish();
        continue;
      }
      const double x = x_of(first + static_cast<int64_t>(k)), a = y_of(band.low[k]), b = y_of(band.high[k]);
      upper.push_back({x, std::min(a, b)}), lower.push_back({x, std::max(a, b)});
    }
    finish();
  }

  // The edge of a band, one point for each column of pixels that has several.
  static std::vector<Point> covering(const std::vector<Point>& edge, bool upper) {
    std::vector<Point> out;
    for (const Point p : edge) {
      if (!out.empty() && out.size() > 1 && std::floor(out.back().x) == std::floor(p.x) && &p != &edge.back())
        out.back().y = upper ? std::min(out.back().y, p.y) : std::max(out.back().y, p.y);
      else
        out.push_back(p);
    }
    return out;
  }

  // Something to point at for each position, or for as many as share two pixels.
  void tips(const Chart::Panel& panel, double height) {
    const std::vector<Bucket> all = buckets(n_, static_cast<int64_t>(kPlot / kTipWidth));
    const auto said = summaries(panel, series_, all, n_);
    for (size_t b = 0; b < all.size(); ++b) {
      std::string words;
      for (size_t s = 0; s < said[b].size(); ++s)
        if (const std::string one = summary_text(series_.all()[s], said[b][s]); !one.empty())
          words += (words.empty() ? ": " : ", ") + one;
      if (words.empty()) continue;
      const double x = left_ + static_cast<double>(all[b].begin) * step();
      out_.hovers.push_back(
          {x, y_, static_cast<double>(all[b].end - all[b].begin) * step(), height, stamp(chart_, all[b]) + words});
    }
  }

  void strips() {
    const double row = std::clamp(std::floor(360.0 / static_cast<double>(chart_.strips.size())), 1.0, 16.0);
    const double gap = row >= 8 ? 2 : 0;
    const auto label_step = static_cast<size_t>(std::ceil((kSmall + 1) / row));
    if (chart_.panels.empty()) plots_top_ = y_, rule_names_ = y_ + kSmall;
    if (chart_.panels.empty() && has_named_rule()) plots_top_ = y_ += kNameLine;
    if (!chart_.panels.empty()) y_ += kPlotGap / 2;
    const std::vector<Bucket> all = buckets(n_, static_cast<int64_t>(kPlot));
    const bool tips = chart_.strips.size() * all.size() <= static_cast<size_t>(kMostTips);
    for (size_t s = 0; s < chart_.strips.size(); ++s) {
      if (s % label_step == 0)
        sketch_.write(left_ - kSideGap, y_ + std::max(row - gap, kSmall) / 2 + kSmall * 0.36,
                      shown(chart_.strips[s].name), kSmall, Align::end);
      strip(chart_.strips[s], all, row - gap, tips);
      y_ += row;
    }
  }

  void strip(const Chart::Strip& strip, const std::vector<Bucket>& all, double height, bool tips) {
    const int64_t end = strip.first + std::ssize(strip.weights);
    const double x0 = left_ + static_cast<double>(strip.first) * step(), x1 = left_ + static_cast<double>(end) * step();
    const double edge = height >= 8 ? 1 : 0;
    out_.boxes.push_back({x0 - edge, y_ - edge, x1 - x0 + 2 * edge, height + 2 * edge, sketch_.palette.faint, ""});
    if (!tips) out_.boxes.push_back({x0, y_, x1 - x0, height, sketch_.palette.background, ""});
    for (const Bucket& bucket : all) {
      const int64_t from = std::max(bucket.begin, strip.first), to = std::min(bucket.end, end);
      if (from >= to) continue;
      const auto weights =
          std::span(strip.weights).subspan(static_cast<size_t>(from - strip.first), static_cast<size_t>(to - from));
      const double weight = std::ranges::max(weights);
      const Rgb fill = shade(sketch_.palette, place(weight, top_));
      if (!tips && place(weight, top_) == 0) continue;
      const std::string name = strip.name.empty() ? "" : ", " + shown(strip.name);
      out_.boxes.push_back({left_ + static_cast<double>(from) * step(), y_, static_cast<double>(to - from) * step(),
                            height, fill, tips ? stamp(chart_, {from, to}) + name + ": " + fixed(weight, 4) : ""});
    }
  }

  // Through all panels; through the strips, where there is nothing else. Names that would overlap are left out.
  void rules() {
    double end = name_end_;
    for (const Chart::Rule& rule : chart_.rules) {
      const double x = x_of(rule.position);
      out_.lines.push_back({x, plots_top_ - 4, x, y_, sketch_.palette.muted});
      const std::string name = shown(rule.name);
      if (name.empty()) continue;
      const double half = text_ems(name) * kSmall / 2, at = std::clamp(x, left_ + half, right_ + kMargin - half);
      if (at - half < end + 6) continue;
      sketch_.write(at, rule_names_, name, kSmall, Align::middle);
      end = at + half;
    }
  }

  void x_axis() {
    out_.boxes.push_back({left_, y_, kPlot, 1, sketch_.palette.muted, ""});
    const LabelRoom room{.step = step(),
                         .gap = 14,
                         .left = kMargin - left_,
                         .right = kPlot + 2 * kMargin - 2,
                         .width = [](const std::string& label) { return text_ems(label) * kSmall; }};
    for (const auto& [position, text] : axis_labels(chart_.x.tokens, room)) {
      out_.boxes.push_back({std::round(x_of(position) - 0.5), y_, 1, 4, sketch_.palette.muted, ""});
      sketch_.write(x_of(position), y_ + 17, text, kSmall, Align::middle);
    }
    y_ += 22;
    if (chart_.x.name.empty()) return;
    sketch_.write(left_ + kPlot / 2, y_ + 11, shown(chart_.x.name), kSmall, Align::middle);
    y_ += 18;
  }

  // Groups side by side as far as they fit, then below.
  void bars() {
    if (chart_.bars.empty()) return;
    const std::vector<BarGroup> groups = bar_groups(chart_);
    const Extent extent = bar_extent(chart_);
    double side = 0, number = 0;
    for (const BarGroup& group : groups)
      for (const Chart::Bar* bar : group.bars) {
        side = std::max(side, text_ems(shown(bar->name)) * kSmall);
        number = std::max(number, text_ems(value_text(bar->value)) * kSmall);
      }
    const double block = side + kPad + kBar.width + kPad + number;
    const double room = std::max(right_ - kMargin, block);
    y_ += kPlotGap / 2;
    double x = kMargin, foot = y_;
    for (const BarGroup& group : groups) {
      if (x > kMargin && x + block > kMargin + room) x = kMargin, y_ = foot;
      double y = y_;
      if (!group.name.empty()) {
        sketch_.write(x + side + kPad, y + 12, shown(group.name), kSmall);
        out_.labels.back().bold = true;
        out_.width =
            std::max(out_.width, std::ceil(x + side + kPad + text_ems(shown(group.name)) * kSmall * kBold + kMargin));
        y += kBar.line;
      }
      for (const Chart::Bar* bar : group.bars) {
        one_bar(*bar, extent, x + side, y, group.name);
        y += kBar.line;
      }
      foot = std::max(foot, y + kPlotGap / 2);
      out_.width = std::max(out_.width, std::ceil(x + block + kMargin));
      x += block + 2 * kPlotGap;
    }
    y_ = foot;
    if (const std::string more = more_bars(chart_); !more.empty())
      sketch_.write(kMargin, y_ + 4, more, kSmall), y_ += kBar.line;
  }

  void one_bar(const Chart::Bar& bar, const Extent& extent, double x, double y, const std::string& group) {
    const auto at = [&](double v) {
      return kBar.width * ((v / 2 - extent.low / 2) / (extent.high / 2 - extent.low / 2));
    };
    const double from = at(std::min(bar.value, 0.0)), to = at(std::max(bar.value, 0.0)), begin = x + kPad;
    sketch_.write(x, y + kBar.height - 1.5, shown(bar.name), kSmall, Align::end);
    out_.labels.back().spans[0].color = sketch_.palette.text;
    out_.boxes.push_back({begin, y, kBar.width, kBar.height, sketch_.palette.faint, ""});
    out_.boxes.push_back({begin + from, y, to - from, kBar.height, sketch_.palette.full,
                          (group.empty() ? "" : shown(group) + ", ") + shown(bar.name) + ": " + value_text(bar.value)});
    sketch_.write(begin + kBar.width + kPad, y + kBar.height - 1.5, value_text(bar.value), kSmall);
  }

  const Chart& chart_;
  const SeriesOf series_;
  const double top_;  // of the scale of the strips
  const int64_t n_;
  std::vector<ValueAxis> axes_;
  double left_ = 0, right_ = 0;  // of the plots
  double plots_top_ = 0, rule_names_ = 0, name_end_ = 0;
  double y_ = 0;
  Sketch sketch_;
  Picture& out_ = sketch_.out;
};

}  // namespace

Picture draw_chart(const Chart& chart, const PictureOptions& options) { return ChartDrawing(chart, options).run(); }

}  // namespace lookback::viz
