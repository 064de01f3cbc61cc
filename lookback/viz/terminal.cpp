#include <algorithm>

#include "lookback/base/format_number.h"
#include "lookback/viz/terminal_row.h"
#include "lookback/viz/time_map.h"

namespace lookback::viz {
namespace {

constexpr int64_t kCell = 3, kMostText = 12, kScoreWidth = 8, kStaggeredLines = 14, kVerticalLines = 14;

int64_t width_of(const TokenText& t) { return display_width(t.whole()); }

class Terminal {
 public:
  Terminal(const HeatMap& map, const TerminalOptions& options)
      : map_(map),
        options_(options),
        width_(std::max(options.width, kLeastWidth)),
        top_(scale_top(map, options.scale)),
        T_(std::ssize(map.columns.tokens)),
        U_(map.token_rows()) {
    for (const auto& token : map.columns.tokens) columns_.push_back(visible(token));
    for (const auto& token : map.rows.tokens) rows_.push_back(visible(token));
    for (const auto& words : map.cells) texts_.push_back(words.empty() ? "" : shorten(one_line(words), kMostText));
  }

  std::string run() {
    out_ = title_line(map_.title, options_);
    if (T_ == 0 || U_ == 0) {
      out_ += dim_line(str_cat("Nothing to draw: ", T_, " ", one_line(map_.columns.name), " and ", U_, " ",
                               one_line(map_.rows.name), " tokens."),
                       options_);
      return std::move(out_);
    }
    lay_out();
    for (int64_t begin = 0; begin < T_; begin += per_panel_) panel(begin, std::min(T_, begin + per_panel_));
    out_ += "\n" + scale_line(top_, left_, options_, map_.weight_name);
    if (map_.totals) out_ += dim_line(kTotalsMean, options_);
    return std::move(out_);
  }

 private:
  float weight(int64_t u, int64_t t) const { return map_.weights.data<float>()[u * T_ + t]; }
  int64_t column(int64_t k) const { return left_ + k * cell_; }  // of the k-th cell of a panel
  int64_t middle() const { return (cell_ - 1) / 2; }             // of a cell, where its label stands

  void lay_out() {
    int64_t longest = 0;
    for (const TokenText& t : rows_) longest = std::max(longest, width_of(t));
    if (!map_.cells.empty()) longest = std::max(longest, display_width(row_name()));
    const int64_t label = std::min({longest, kMostLabel, width_ / 3});
    for (TokenText& t : rows_) t = shorten(std::move(t), label);
    left_ = label + 1;
    right_ = width_;
    if (!map_.row_scores.empty() && width_ - left_ >= kScoreWidth + 4 * kCell) right_ -= kScoreWidth;
    make_room_for_text();
    const int64_t most = std::max<int64_t>(1, (right_ - left_) / cell_);
    for (TokenText& t : columns_) t = shorten(std::move(t), kMostLabel);
    staggered_ = choose_staggered(std::min(T_, most));
    if (staggered_) {
      // A label may reach past its column, but not past the edge.
      const int64_t room = std::max<int64_t>(kCell, (width_ - left_) / 3);
      if (!labels_fit(std::min(T_, most)))
        for (TokenText& t : columns_) t = shorten(std::move(t), room);
    }
    if (!staggered_)
      for (TokenText& t : columns_) t = shorten(std::move(t), kVerticalLines);
    per_panel_ = most;
    if (staggered_)
      while (per_panel_ > 1 && !labels_fit(per_panel_)) --per_panel_;
    const int64_t panels = (T_ + per_panel_ - 1) / per_panel_;  // of equal size, if the labels let them
    const int64_t even = (T_ + panels - 1) / panels;
    if (!staggered_ || labels_fit(even)) per_panel_ = even;
  }

  // Cells as wide as their text, if the map is then no wider than the terminal; else no text.
  void make_room_for_text() {
    int64_t widest = 0;
    for (const std::string& words : texts_) widest = std::max(widest, display_width(words));
    const int64_t wanted = std::max(kCell, widest + 2);
    if (left_ + T_ * wanted <= right_)
      cell_ = wanted;
    else
      texts_.clear();
  }

  std::string row_name() const { return one_line(map_.rows.name) + " \u2193"; }

  // The names of the axes of a table.
  void names() {
    Row row(options_.color);
    const std::string name = shorten(row_name(), left_ - 1);
    row.to(left_ - 1 - display_width(name));
    row.dim(name);
    row.to(left_);
    row.dim(shorten(one_line(map_.columns.name) + " \u2192", width_ - left_));
    out_ += std::move(row).line();
  }

  bool choose_staggered(int64_t columns) const {
    if (options_.labels != ColumnLabels::automatic) return options_.labels == ColumnLabels::staggered;
    const auto joined = [](const TokenText& t) { return joins_letters(t.body); };
    return (columns <= kStaggeredLines && labels_fit(columns)) || std::any_of(columns_.begin(), columns_.end(), joined);
  }

  bool labels_fit(int64_t per_panel) const {
    for (int64_t t = 0; t < T_; ++t)
      if (column(t % per_panel) + middle() + width_of(columns_[static_cast<size_t>(t)]) > width_) return false;
    return true;
  }

  void panel(int64_t begin, int64_t end) {
    if (begin > 0) out_ += '\n';
    if (per_panel_ < T_)
      out_ += dim_line(str_cat(one_line(map_.columns.name), " tokens ", begin + 1, " to ", end, " of ", T_), options_);
    if (!map_.cells.empty()) names();
    staggered_ ? staggered(begin, end) : vertical(begin, end);
    for (int64_t u = 0; u < U_; ++u) row(u, begin, end);
    if (!map_.totals) return;
    out_ += '\n';
    row(U_, begin, end);
  }

  // Every label is on the lowest line where no guide of a column to its right
  // has to pass through it.
  void staggered(int64_t begin, int64_t end) {
    const auto n = static_cast<size_t>(end - begin);
    std::vector<int64_t> level(n, 0);
    for (size_t k = n; k-- > 0;) {
      const int64_t until =
          column(static_cast<int64_t>(k)) + middle() + 1 + width_of(columns_[static_cast<size_t>(begin) + k]);
      for (size_t right = k + 1; right < n && column(static_cast<int64_t>(right)) + middle() < until; ++right)
        level[k] = std::max(level[k], level[right] + 1);
    }
    for (int64_t at = *std::max_element(level.begin(), level.end()); at >= 0; --at) {
      Row row(options_.color);
      for (size_t k = 0; k < n; ++k) {
        if (level[k] < at) continue;
        row.to(column(static_cast<int64_t>(k)) + middle());
        if (level[k] == at)
          row.token(columns_[static_cast<size_t>(begin) + k]);
        else
          row.dim("\u2502");
      }
      out_ += std::move(row).line();
    }
  }

  void vertical(int64_t begin, int64_t end) {
    std::vector<std::vector<std::string>> letters;
    size_t height = 0;
    for (int64_t t = begin; t < end; ++t) {
      letters.push_back(graphemes(columns_[static_cast<size_t>(t)].whole()));
      height = std::max(height, letters.back().size());
    }
    for (size_t line = 0; line < height; ++line) {
      Row row(options_.color);
      for (size_t k = 0; k < letters.size(); ++k) {
        const size_t blank = height - letters[k].size();
        if (line < blank) continue;
        std::string letter = letters[k][line - blank];
        if (display_width(letter) >= kCell) letter = "\u2026";  // a cluster no two terminals draw alike
        row.to(column(static_cast<int64_t>(k)) + middle());
        const TokenText& token = columns_[static_cast<size_t>(begin) + k];
        if (line == blank && !token.prefix.empty())
          row.dim(letter);
        else
          row.plain(letter);
      }
      out_ += std::move(row).line();
    }
  }

  void row(int64_t u, int64_t begin, int64_t end) {
    Row row(options_.color);
    const TokenText& label = rows_[static_cast<size_t>(u)];
    row.to(left_ - 1 - width_of(label));
    if (map_.rows.mark.has(u)) {
      row.styled(label.whole(), "1");
      row.plain("\u2590");
    } else {
      row.token(label);
    }
    row.to(left_);
    bool nothing = u < U_ && map_.cells.empty();
    const bool text = !texts_.empty() && u < U_;
    for (int64_t t = 0; t < T_; ++t) nothing = nothing && weight(u, t) == 0;
    for (int64_t t = begin; t < end; ++t)
      nothing ? row.dim("\u2500\u2500\u2500")
      : text  ? written(row, texts_[static_cast<size_t>(u * T_ + t)], place(weight(u, t), top_))
              : cell(row, place(weight(u, t), u < U_ ? top_ : 1));
    if (right_ < width_ && end == T_) {
      row.to(column(per_panel_));
      const std::string score = fixed(map_.row_scores[static_cast<size_t>(u)], 2);
      row.to(column(per_panel_) + kScoreWidth - display_width(score));
      row.dim(score);
    }
    out_ += std::move(row).line();
    if (!text || options_.color) return;
    Row shades(false);  // below the text
    shades.to(left_);
    for (int64_t t = begin; t < end; ++t) cell(shades, place(weight(u, t), top_));
    out_ += std::move(shades).line();
  }

  std::string centred(const std::string& words) const {
    const int64_t left = (cell_ - display_width(words)) / 2, right = cell_ - display_width(words) - left;
    return std::string(static_cast<size_t>(left), ' ') + words + std::string(static_cast<size_t>(right), ' ');
  }

  void written(Row& row, const std::string& words, double place) const {
    const int color = options_.color ? terminal_color(options_.theme, place) : -1;
    if (color >= 0)
      row.styled(centred(words), filled_style(options_.theme, color));
    else
      place == 0 ? row.dim(centred(words)) : row.plain(centred(words));
  }

  void cell(Row& row, double place) const {
    if (options_.color) {
      const int index = terminal_color(options_.theme, place);
      if (index < 0)
        row.dim(centred("\u00B7"));
      else
        row.styled(centred(""), background_style(index));
    } else {
      const size_t level = shade_level(place);
      for (int64_t k = 0; k < cell_; ++k) row.plain(level == 0 ? k == middle() ? "\u00B7" : " " : kShades[level]);
    }
  }

  const HeatMap& map_;
  const TerminalOptions& options_;
  const int64_t width_;
  const double top_;
  const int64_t T_, U_;
  std::vector<TokenText> columns_, rows_;
  std::vector<std::string> texts_;  // of the cells, where there is room for them
  int64_t cell_ = kCell;            // the width of a cell
  int64_t left_ = 0;                // where the cells begin
  int64_t right_ = 0;               // where they must end
  int64_t per_panel_ = 1;           // columns of the map side by side
  bool staggered_ = true;
  std::string out_;
};

}  // namespace

std::string to_terminal(const Figure& figure, const TerminalOptions& options) {
  check_figure(figure);
  if (const auto* highlight = std::get_if<Highlight>(&figure)) return highlight_on_terminal(*highlight, options);
  if (const auto* chart = std::get_if<Chart>(&figure)) return chart_on_terminal(*chart, options);
  if (const auto* maps = std::get_if<PictureMaps>(&figure)) return picture_maps_on_terminal(*maps, options);
  const HeatMap& map = std::get<HeatMap>(figure);
  return map.columns.seconds > 0 ? time_map_on_terminal(map, options) : Terminal(map, options).run();
}

}  // namespace lookback::viz
