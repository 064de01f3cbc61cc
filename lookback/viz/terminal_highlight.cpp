#include <algorithm>
#include <cmath>

#include "lookback/base/format_number.h"
#include "lookback/viz/flow.h"
#include "lookback/viz/terminal_row.h"

namespace lookback::viz {
namespace {

constexpr int64_t kMostBar = 24, kNumber = 5, kMostNumber = 6;  // columns

class HighlightText {
 public:
  HighlightText(const Highlight& highlight, const TerminalOptions& options)
      : highlight_(highlight),
        options_(options),
        width_(std::max(options.width, kLeastWidth)),
        top_(scale_top(highlight, options.scale)),
        n_(std::ssize(highlight.words.tokens)),
        places_(places(highlight, options.scale)) {
    for (size_t p = 0; p < highlight.parts.size(); ++p) {
      numbers_.push_back(shorten(part_number(highlight, p), kMostNumber));
      side_ = std::max(side_, display_width(numbers_.back()) + 1);
    }
    const Axis::Mark& mark = highlight.words.mark;
    const bool brackets = !options.color && !mark.empty();
    for (const auto& token : highlight.words.tokens)
      shown_.push_back(shorten(visible(token).body, width_ - side_ - (brackets ? 2 : 0)));
    if (brackets)
      shown_[static_cast<size_t>(mark.begin)].insert(0, "["), shown_[static_cast<size_t>(mark.end - 1)] += "]";
  }

  std::string run() {
    out_ = title_line(highlight_.title, options_);
    if (n_ == 0) {
      out_ += dim_line("Nothing to draw: no " + one_line(highlight_.words.name) + ".", options_);
    } else {
      std::vector<double> widths;
      for (const std::string& token : shown_)
        widths.push_back(static_cast<double>(std::max<int64_t>(1, display_width(token))));
      const Flow flow(highlight_.words.tokens, std::move(widths), {.words = 1, .pieces = 0},
                      static_cast<double>(width_ - side_), highlight_.parts);
      for (int64_t h = 0; h < highlight_.hops(); ++h) hop(flow, h);
    }
    labels();
    if (n_ > 0) out_ += "\n" + scale_line(top_, 0, options_, highlight_.weight_name);
    if (!numbers_.empty()) out_ += dim_line(kPartsMean, options_);
    return std::move(out_);
  }

 private:
  double place_of(int64_t h, size_t k) const { return places_[static_cast<size_t>(h * n_) + k]; }

  void hop(const Flow& flow, int64_t h) {
    if (h > 0) out_ += "\n";
    if (highlight_.hops() > 1) out_ += dim_line(str_cat("hop ", h + 1), options_);
    for (const TextLine& line : flow.lines()) {
      Row words(options_.color), shades(options_.color);
      if (!numbers_.empty()) part(words, shades, line, &line == flow.lines().data() || (&line)[-1].part != line.part);
      flow.place(line, [&](size_t k, double x, double width) {
        words.to(side_ + static_cast<int64_t>(x));
        const bool underlined = highlight_.words.mark.has(static_cast<int64_t>(k));
        options_.color ? shaded(words, shown_[k], place_of(h, k), underlined) : words.plain(shown_[k]);
        shades.to(side_ + static_cast<int64_t>(x));
        const size_t level = shade_level(place_of(h, k));
        shades.plain(repeated(kShades[level], level == 0 ? 1 : static_cast<int64_t>(width)));
      });
      out_ += std::move(words).line();
      if (!options_.color) out_ += std::move(shades).line();
    }
  }

  // The box before a line of a part; its number before the first of them.
  void part(Row& words, Row& shades, const TextLine& line, bool first) const {
    const double at = place(highlight_.part_weights.data<float>()[line.part], top_);
    const std::string blank(static_cast<size_t>(side_ - 1), ' ');
    std::string number = first ? numbers_[line.part] : "";
    number.insert(0, blank, 0, blank.size() - static_cast<size_t>(display_width(number)));
    options_.color ? shaded(words, number, at) : words.plain(number);
    const size_t level = shade_level(at);
    shades.plain(level == 0 ? kShades[0] : repeated(kShades[level], side_ - 1));
  }

  void shaded(Row& row, const std::string& word, double place, bool underlined = false) const {
    const int color = terminal_color(options_.theme, place);
    if (color < 0) return underlined ? row.styled(word, "1;4") : row.plain(word);
    row.styled(word, filled_style(options_.theme, color) + (underlined ? ";1;4" : ""));
  }

  void labels() {
    int64_t side = 0;
    for (const auto& [label, probability] : highlight_.best()) side = std::max(side, display_width(one_line(label)));
    side = std::min({side, kMostLabel, width_ / 3});
    const int64_t room = std::min(kMostBar, width_ - side - kNumber - 2);
    for (const auto& [label, probability] : highlight_.best()) {
      if (&label == &highlight_.probabilities.front().first) out_ += "\n";
      const std::string name = shorten(one_line(label), side);
      Row row(options_.color);
      row.to(side - display_width(name));
      row.plain(name);
      row.to(side + 1);
      const std::string bar = block_bar(probability, room);
      if (!bar.empty()) row.styled(bar, text_style(terminal_color(options_.theme, 1)));
      row.to(side + room + 2);
      row.plain(shorten(fixed(probability, 2), kNumber));
      out_ += std::move(row).line();
    }
  }

  const Highlight& highlight_;
  const TerminalOptions& options_;
  const int64_t width_;
  const double top_;
  const int64_t n_;
  const std::vector<double> places_;  // [H, n]
  std::vector<std::string> numbers_;  // of the parts
  int64_t side_ = 0;                  // columns of their boxes, and a gap
  std::vector<std::string> shown_;
  std::string out_;
};

}  // namespace

std::string highlight_on_terminal(const Highlight& highlight, const TerminalOptions& options) {
  return HighlightText(highlight, options).run();
}

}  // namespace lookback::viz
