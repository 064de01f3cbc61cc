#include <algorithm>
#include <cmath>

#include "lookback/base/format_number.h"
#include "lookback/viz/picture_parts.h"
#include "lookback/viz/time_map.h"

namespace lookback::viz {
namespace {

constexpr double kFont = 13, kLabelGap = 7, kTotalsGap = 6, kLeastTotals = 10;
constexpr double kLeastSide = 40;                   // the width kept for the labels of rows
constexpr double kWidest = 860, kNarrowest = 320;   // of the cells together
constexpr double kSoundHeight = 96, kSoundGap = 6;  // of what was heard, below the cells
constexpr double kTickRoom = 64;                    // from one tick to the next
constexpr int64_t kLabelColumns = 26;               // longer tokens are cut
constexpr int64_t kScoreColumns = 9;
constexpr int64_t kMostColumns = 600, kMostSoundColumns = 400, kMostSoundRows = 32;  // an SVG stays small
constexpr int kLevels = 48, kSoundLevels = 12;

class TimeDrawing {
 public:
  TimeDrawing(const HeatMap& map, const PictureOptions& options)
      : map_(map),
        top_(scale_top(map, options.scale)),
        T_(map.column_count()),
        U_(map.token_rows()),
        length_(static_cast<double>(T_) * map.columns.seconds),
        sketch_(map.title, options.theme) {
    for (const auto& token : map.rows.tokens) rows_.push_back(shorten(visible(token), kLabelColumns));
  }

  Picture run() {
    const std::string rows = str_cat(U_, " ", one_line(map_.rows.name)), time = one_line(map_.columns.name);
    if (T_ == 0 || U_ == 0) {
      sketch_.nothing(T_ == 0 ? str_cat("no ", time, " (", rows, ")")
                              : str_cat("no ", one_line(map_.rows.name), " tokens"));
      return std::move(out_);
    }
    lay_out();
    out_.description = str_cat("Attention of ", rows, " tokens (rows) over ", fixed(length_, 2), " s of ", time,
                               " (columns).", map_.underlay.size() ? " Below it the spectrogram." : "",
                               map_.totals ? " The last row is the sum of each column." : "");
    sketch_.title();
    weights();
    sound();
    time_axis();
    labels();
    legend();
    return std::move(out_);
  }

 private:
  double x_of(double seconds) const { return left_ + seconds / length_ * width_; }
  double row_top(int64_t u) const { return cells_top_ + static_cast<double>(u) * row_ + (u == U_ ? kTotalsGap : 0); }
  double row_height(int64_t u) const { return u == U_ ? std::max(row_, kLeastTotals) : row_; }

  void lay_out() {
    row_ = std::clamp(std::floor(840.0 / static_cast<double>(U_)), 1.0, 18.0);
    font_ = std::clamp(row_ * 0.8, 9.0, kFont);
    step_ = static_cast<int64_t>(std::ceil((font_ + 1) / row_));
    double side = kLeastSide;
    for (int64_t u = 0; u < U_; u += step_)
      side = std::max(side, text_ems(rows_[static_cast<size_t>(u)].whole()) * font_);
    left_ = kMargin + side + kLabelGap;
    width_ = std::clamp(std::round(12.0 * static_cast<double>(T_)), kNarrowest, kWidest);
    cells_top_ = kMargin + sketch_.head() + (map_.row_scores.empty() ? 0 : kSmall + kLabelGap);
    cells_bottom_ = map_.totals ? row_top(U_) + row_height(U_) : row_top(U_ - 1) + row_;
    bottom_ = cells_bottom_ + (map_.underlay.size() ? kSoundGap + kSoundHeight : 0);
    ticks_ = time_ticks(length_, static_cast<int64_t>(width_ / kTickRoom) + 1);
    const double right = left_ + width_ + (map_.row_scores.empty() ? kMargin : 64.0);
    const double meaning = map_.totals ? text_ems(kTotalsMean) * kSmall + kLegend + 40 + left_ : 0;
    out_.width = std::ceil(std::max({right, sketch_.title_width(), meaning + kMargin}));
    out_.height = std::ceil(bottom_ + 90);
  }

  void frame(double y, double height) {
    out_.boxes.push_back({left_ - 1, y - 1, width_ + 2, height + 2, sketch_.palette.faint, ""});
    out_.boxes.push_back({left_, y, width_, height, sketch_.palette.background, ""});
    for (const TimeTick& tick : ticks_)
      if (const double x = std::round(x_of(tick.seconds)); x > left_ && x < left_ + width_)
        out_.boxes.push_back({x, y, 1, height, sketch_.palette.faint, ""});
  }

  void weights() {
    const TimeCells cells = weight_cells(map_, std::min(T_, kMostColumns));
    frame(cells_top_, static_cast<double>(U_) * row_);
    raster(cells, 0, U_, top_);
    for (int64_t u = 0; u < U_; ++u) hover(u);
    if (!map_.totals) return;
    frame(row_top(U_), row_height(U_));
    raster(cells, U_, U_ + 1, 1);
  }

  void raster(const TimeCells& cells, int64_t begin, int64_t end, double top) {
    Raster out{.x = left_,
               .y = row_top(begin),
               .width = width_,
               .height = static_cast<double>(end - begin) * row_height(begin),
               .rows = end - begin,
               .columns = cells.columns};
    for (int k = 0; k < kLevels; ++k) out.colors.push_back(shade(sketch_.palette, k / (kLevels - 1.0)));
    for (int64_t u = begin; u < end; ++u)
      for (int64_t k = 0; k < cells.columns; ++k)
        out.levels.push_back(static_cast<uint8_t>(std::lround(place(cells.at(u, k), top) * (kLevels - 1))));
    out_.rasters.push_back(std::move(out));
  }

  // What pointing at a row shows; a line through one that looks at nothing.
  void hover(int64_t u) {
    const float* w = map_.weights.data<float>() + u * T_;
    const float most = *std::max_element(w, w + T_);
    const bool nothing = std::all_of(w, w + T_, [](float x) { return x == 0; });
    const double y = row_top(u) + row_ / 2;
    if (nothing) out_.lines.push_back({left_ + 3, y, left_ + width_ - 3, y, sketch_.palette.muted});
    looks_at_nothing_ = looks_at_nothing_ || nothing;
    if (U_ > kMostTips) return;
    const std::string name = visible(map_.rows.tokens[static_cast<size_t>(u)]).whole();
    out_.hovers.push_back({left_, row_top(u), width_, row_,
                           nothing ? name + " looks at nothing"
                                   : str_cat(name, ": most at ", best_time(map_, u), " (", fixed(most, 4), ")")});
  }

  void sound() {
    if (map_.underlay.size() == 0) return;
    const double y = cells_bottom_ + kSoundGap;
    const TimeCells cells = sound_cells(map_.underlay, std::min(map_.underlay.dim(0), kMostSoundColumns),
                                        std::min(map_.underlay.dim(1), kMostSoundRows));
    out_.boxes.push_back({left_ - 1, y - 1, width_ + 2, kSoundHeight + 2, sketch_.palette.faint, ""});
    out_.boxes.push_back({left_, y, width_, kSoundHeight, sketch_.palette.background, ""});
    Raster out{
        .x = left_, .y = y, .width = width_, .height = kSoundHeight, .rows = cells.rows, .columns = cells.columns};
    for (int k = 0; k < kSoundLevels; ++k)
      out.colors.push_back(blend(sketch_.palette.background, sketch_.palette.text, k / (kSoundLevels - 1.0)));
    for (const double v : cells.values) out.levels.push_back(static_cast<uint8_t>(std::lround(v * (kSoundLevels - 1))));
    out_.rasters.push_back(std::move(out));
    sketch_.write(left_ - kLabelGap, y + kSmall, "high", kSmall, Align::end);
    sketch_.write(left_ - kLabelGap, y + kSoundHeight / 2 + kSmall * 0.34, "sound", kSmall, Align::end);
    sketch_.write(left_ - kLabelGap, y + kSoundHeight - 2, "low", kSmall, Align::end);
  }

  void time_axis() {
    for (const TimeTick& tick : ticks_) {
      const double x = std::min(std::round(x_of(tick.seconds)), left_ + width_ - 1);
      out_.boxes.push_back({x, bottom_ + 1, 1, 5, sketch_.palette.muted, ""});
      sketch_.write(x, bottom_ + 8 + kSmall, tick.text, kSmall, Align::middle);
    }
    sketch_.write(left_ + width_ / 2, bottom_ + 24 + kSmall,
                  shorten(one_line(map_.columns.name), kLabelColumns) + " in seconds", kSmall, Align::middle);
  }

  void labels() {
    for (int64_t u = 0; u < U_; u += step_) row_label(u);
    if (map_.totals) row_label(U_);
    if (!map_.row_scores.empty())
      sketch_.write(left_ + width_ + 44, cells_top_ - kLabelGap, "log p", kSmall, Align::end);
  }

  void row_label(int64_t u) {
    const Palette& palette = sketch_.palette;
    const TokenText& token = rows_[static_cast<size_t>(u)];
    const double middle = row_top(u) + row_height(u) / 2;
    std::vector<Span> spans;
    if (!token.prefix.empty()) spans.push_back({token.prefix, palette.muted});
    spans.push_back({token.body, palette.text});
    if (!token.suffix.empty()) spans.push_back({token.suffix, palette.muted});
    out_.labels.push_back({.x = left_ - kLabelGap,
                           .y = middle + font_ * 0.34,
                           .spans = std::move(spans),
                           .size = font_,
                           .align = Align::end,
                           .bold = u == U_});
    if (!map_.row_scores.empty())
      sketch_.write(left_ + width_ + 44, middle + kSmall * 0.34,
                    shorten(fixed(map_.row_scores[static_cast<size_t>(u)], 2), kScoreColumns), kSmall, Align::end);
  }

  void legend() {
    const double y = bottom_ + 50;
    double x = left_ + kLegend + 20;
    sketch_.scale(left_, y, top_, map_.weight_name);
    const auto explain = [&](const char* words) {
      out_.width = std::max(out_.width, std::ceil(x + 2 + text_ems(words) * kSmall + kMargin));
      sketch_.write(x, y + 9, words, kSmall);
      x += text_ems(words) * kSmall + 20;
    };
    if (looks_at_nothing_) {
      out_.lines.push_back({x, y + 5, x + 28, y + 5, sketch_.palette.muted});
      x += 34;
      explain("looks at nothing");
    }
    if (map_.totals) explain(kTotalsMean);
  }

  const HeatMap& map_;
  const double top_;
  const int64_t T_, U_;
  const double length_;  // in seconds
  std::vector<TokenText> rows_;
  Sketch sketch_;
  Picture& out_ = sketch_.out;
  std::vector<TimeTick> ticks_;
  double row_ = 0, font_ = kFont;                         // the height of a row, the size of its label
  int64_t step_ = 1;                                      // every how many-th row has its label
  double left_ = 0, width_ = 0;                           // of the cells and of what is below them
  double cells_top_ = 0, cells_bottom_ = 0, bottom_ = 0;  // of the cells; of what was heard
  bool looks_at_nothing_ = false;
};

}  // namespace

Picture draw_time_map(const HeatMap& map, const PictureOptions& options) { return TimeDrawing(map, options).run(); }

}  // namespace lookback::viz
