#include <algorithm>

#include "lookback/base/format_number.h"
#include "lookback/viz/terminal_row.h"
#include "lookback/viz/time_map.h"

namespace lookback::viz {
namespace {

constexpr int64_t kWidestCell = 3, kScoreWidth = 8, kLeastCells = 12, kTickRoom = 8;
constexpr std::array kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

class TimeTerminal {
 public:
  TimeTerminal(const HeatMap& map, const TerminalOptions& options)
      : map_(map),
        options_(options),
        width_(std::max(options.width, kLeastWidth)),
        top_(scale_top(map, options.scale)),
        T_(map.column_count()),
        U_(map.token_rows()) {
    for (const auto& token : map.rows.tokens) rows_.push_back(visible(token));
  }

  std::string run() {
    out_ = title_line(map_.title, options_);
    if (T_ == 0 || U_ == 0) {
      out_ += dim_line(str_cat("Nothing to draw: ", fixed(static_cast<double>(T_) * map_.columns.seconds, 2), " s of ",
                               one_line(map_.columns.name), " and ", U_, " ", one_line(map_.rows.name), " tokens."),
                       options_);
      return std::move(out_);
    }
    lay_out();
    cells_ = weight_cells(map_, columns_);
    for (int64_t u = 0; u < U_; ++u) row(u);
    if (map_.totals) out_ += '\n', row(U_);
    sound();
    time_axis();
    out_ += "\n" + scale_line(top_, left_, options_, map_.weight_name);
    if (map_.totals) out_ += dim_line(kTotalsMean, options_);
    return std::move(out_);
  }

 private:
  void lay_out() {
    int64_t longest = 5;  // "sound"
    for (const TokenText& t : rows_) longest = std::max(longest, display_width(t.whole()));
    const int64_t label = std::min({longest, kMostLabel, width_ / 3});
    for (TokenText& t : rows_) t = shorten(std::move(t), label);
    left_ = label + 1;
    scores_ = !map_.row_scores.empty() && width_ - left_ >= kScoreWidth + kLeastCells;
    const int64_t room = width_ - left_ - (scores_ ? kScoreWidth : 0);
    columns_ = std::min(T_, room);
    cell_ = std::min(kWidestCell, room / columns_);
  }

  Row labelled(const TokenText& label) const {
    Row row(options_.color);
    row.to(left_ - 1 - display_width(label.whole()));
    row.token(label);
    row.to(left_);
    return row;
  }

  void row(int64_t u) {
    Row row = labelled(rows_[static_cast<size_t>(u)]);
    const float* w = map_.weights.data<float>() + u * T_;
    const bool nothing = u < U_ && std::all_of(w, w + T_, [](float x) { return x == 0; });
    if (nothing) row.dim(repeated("─", columns_ * cell_));
    for (int64_t k = 0; k < columns_ && !nothing; ++k) cell(row, place(cells_.at(u, k), u < U_ ? top_ : 1));
    if (scores_) {
      const std::string score = shorten(fixed(map_.row_scores[static_cast<size_t>(u)], 2), kScoreWidth - 1);
      row.to(left_ + columns_ * cell_ + kScoreWidth - display_width(score));
      row.dim(score);
    }
    out_ += std::move(row).line();
  }

  void cell(Row& row, double place) const {
    const std::string blank(static_cast<size_t>(cell_), ' ');
    if (!options_.color) {
      const size_t level = shade_level(place);
      row.plain(level == 0 ? blank : repeated(kShades[level], cell_));
    } else if (const int index = terminal_color(options_.theme, place); index >= 0) {
      row.styled(blank, background_style(index));
    } else {
      row.plain(blank);
    }
  }

  // How loud it was, from the quietest to the loudest.
  void sound() {
    if (map_.underlay.size() == 0) return;
    const TimeCells energy = sound_cells(map_.underlay, columns_, 1);
    const auto [least, most] = std::ranges::minmax(energy.values);
    Row row = labelled({.prefix = "", .body = shorten("sound", left_ - 1), .suffix = ""});
    for (const double e : energy.values)
      row.plain(
          repeated(kBlocks[static_cast<size_t>(most > least ? (e - least) / (most - least) * 8 + 0.5 : 0)], cell_));
    out_ += std::move(row).line();
  }

  void time_axis() {
    const double length = static_cast<double>(T_) * map_.columns.seconds;
    const int64_t plot = columns_ * cell_;
    Row line(options_.color), labels(options_.color);
    const std::vector<TimeTick> ticks = time_ticks(length, plot / kTickRoom + 1);
    std::string marks;
    int64_t drawn = 0;
    for (const TimeTick& tick : ticks) {
      const int64_t at = std::min(static_cast<int64_t>(tick.seconds / length * static_cast<double>(plot)), plot - 1);
      const std::string text = &tick == &ticks.back() ? tick.text + " s" : tick.text;
      const int64_t wide = std::ssize(text), begin = std::min(left_ + at - std::ssize(tick.text) / 2, width_ - wide);
      if (begin < labels.width() + (at > 0)) continue;  // no room
      labels.to(begin);
      labels.dim(text);
      marks += repeated("─", at - drawn) + "┬";
      drawn = at + 1;
    }
    line.to(left_);
    line.dim(marks + repeated("─", plot - drawn));
    out_ += std::move(line).line() + std::move(labels).line();
  }

  const HeatMap& map_;
  const TerminalOptions& options_;
  const int64_t width_;
  const double top_;
  const int64_t T_, U_;
  std::vector<TokenText> rows_;
  TimeCells cells_;
  int64_t left_ = 0, columns_ = 0, cell_ = 1;  // where cells begin, how many stand in a row, how wide each is
  bool scores_ = false;
  std::string out_;
};

}  // namespace

std::string time_map_on_terminal(const HeatMap& map, const TerminalOptions& options) {
  return TimeTerminal(map, options).run();
}

}  // namespace lookback::viz
