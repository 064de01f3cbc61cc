#include <algorithm>
#include <cmath>

#include "lookback/base/format_number.h"
#include "lookback/viz/flow.h"
#include "lookback/viz/picture_parts.h"

namespace lookback::viz {
namespace {

constexpr double kLeastRoom = 560, kLabelFont = 13, kLabelLine = 20, kHopHead = 18, kBlockGap = 16;
constexpr struct { double width = 180, height = 12; } kBar;  // of a probability
constexpr double kAspect = 1.4;                              // of long texts: width to height
constexpr int64_t kTokenColumns = 48, kLabelColumns = 26;    // longer ones are cut
constexpr struct { double width = 44, gap = 10; } kPart;     // of the box before a part
constexpr int64_t kManyTokens = 1500;                        // over all hops: small print from here on

class HighlightDrawing {
 public:
  HighlightDrawing(const Highlight& highlight, const PictureOptions& options)
      : highlight_(highlight),
        top_(scale_top(highlight, options.scale)),
        n_(std::ssize(highlight.words.tokens)),
        H_(highlight.hops()),
        places_(places(highlight, options.scale)),
        margin_(highlight.parts.empty() ? 0 : kPart.width + kPart.gap),
        font_(n_ * H_ > kManyTokens ? 9 : 15),
        sketch_(highlight.title, options.theme) {
    for (const auto& token : highlight.words.tokens) shown_.push_back(shorten(visible(token).body, kTokenColumns));
  }

  Picture run() {
    if (n_ == 0) {
      sketch_.nothing("no " + one_line(highlight_.words.name));
      y_ = out_.height;
      labels();
      out_.height = y_;
      return std::move(out_);
    }
    const Flow flow = fill_lines();
    y_ = kMargin + sketch_.head();
    describe();
    sketch_.title();
    for (int64_t h = 0; h < H_; ++h) hop(flow, h);
    labels();
    legend();
    out_.height = std::ceil(y_ + 44);
    return std::move(out_);
  }

 private:
  float weight(int64_t h, size_t k) const { return highlight_.weights.data<float>()[h * n_ + static_cast<int64_t>(k)]; }
  double line_height() const { return std::ceil(font_ * 1.9); }

  Flow fill_lines() {
    std::vector<double> widths;
    double length = 0, widest = 0;
    for (const std::string& token : shown_) {
      const bool marked = highlight_.words.mark.has(std::ssize(widths));
      widths.push_back(text_ems(token) * font_ * (marked ? kBold : 1) + font_ * 0.5);
      length += widths.back() + font_ * 0.4, widest = std::max(widest, widths.back());
    }
    const double area = length * line_height() * static_cast<double>(H_);
    const double room = std::ceil(std::max({kLeastRoom, widest, std::sqrt(area * kAspect)}));
    out_.width = std::max(room + margin_ + 2 * kMargin, std::ceil(sketch_.title_width()));
    return {highlight_.words.tokens, std::move(widths), {.words = font_ * 0.4, .pieces = 1}, room, highlight_.parts};
  }

  void describe() {
    const auto w = highlight_.weights.span<float>();
    const auto most = std::ranges::max_element(w) - w.begin();
    out_.description =
        str_cat("Weights of ", n_, " ", one_line(highlight_.words.name), H_ > 1 ? str_cat(" in ", H_, " hops") : "",
                ", the largest that of ", shown_[static_cast<size_t>(most % n_)], ": ",
                fixed(w[static_cast<size_t>(most)], 4), ".");
    if (!highlight_.parts.empty()) describe_parts();
    out_.description += mark_description(highlight_.words);
  }

  void describe_parts() {
    const auto p = highlight_.part_weights.span<float>();
    const auto most = std::ranges::max_element(p) - p.begin();
    const auto at = [&](auto n) { return static_cast<size_t>(n); };
    size_t begin = 0;
    for (auto k = most; k > 0; --k) begin += at(highlight_.parts[at(k - 1)]);
    size_t leads = begin, hop = 0;
    for (size_t h = 0; h < at(H_); ++h)
      for (size_t k = begin; k < begin + at(highlight_.parts[at(most)]); ++k)
        if (weight(static_cast<int64_t>(h), k) > weight(static_cast<int64_t>(hop), leads)) leads = k, hop = h;
    out_.description = str_cat("Weights of ", n_, " ", one_line(highlight_.words.name), " in ", p.size(), " parts",
                               H_ > 1 ? str_cat(" in ", H_, " hops") : "", ", the largest that of part ", most + 1,
                               ": ", fixed(p[at(most)], 4), ", and in it that of ", shown_[leads], ": ",
                               fixed(weight(static_cast<int64_t>(hop), leads), 4), ".");
  }

  void hop(const Flow& flow, int64_t h) {
    if (H_ > 1) {
      sketch_.write(kMargin, y_ + kSmall, str_cat("hop ", h + 1), kSmall);
      y_ += kHopHead;
    }
    for (const TextLine& line : flow.lines()) {
      if (!highlight_.parts.empty()) part(line, flow);
      flow.place(line, [&](size_t k, double x, double width) { word(h, k, kMargin + margin_ + x, width); });
      y_ += line_height();
    }
    y_ += kBlockGap;
  }

  // The box before a line of a part; its number before the first of them.
  void part(const TextLine& line, const Flow& flow) {
    const Palette& palette = sketch_.palette;
    const float weight = highlight_.part_weights.data<float>()[line.part];
    const Rgb fill = shade(palette, place(weight, top_));
    const bool first = &line == flow.lines().data() || (&line)[-1].part != line.part;
    const bool last = &line == &flow.lines().back() || (&line)[1].part != line.part;
    const double height = line_height() - (last ? 4 : 0);
    const std::string tip = str_cat("part ", line.part + 1, ": ", fixed(weight, 4));
    if (first) out_.boxes.push_back({kMargin - 1, y_ - 1, kPart.width + 2, 1, palette.faint, ""});
    if (last) out_.boxes.push_back({kMargin - 1, y_ + height, kPart.width + 2, 1, palette.faint, ""});
    out_.boxes.push_back({kMargin - 1, y_, 1, height, palette.faint, ""});
    out_.boxes.push_back({kMargin + kPart.width, y_, 1, height, palette.faint, ""});
    out_.boxes.push_back({kMargin, y_, kPart.width, height, fill, tip});
    if (!first) return;
    out_.labels.push_back({.x = kMargin + kPart.width / 2,
                           .y = y_ + (line_height() - 4) / 2 + kSmall * 0.34,
                           .spans = {{shorten(part_number(highlight_, line.part), 6), readable_on(palette, fill)}},
                           .size = std::min(font_, kSmall),
                           .align = Align::middle});
  }

  void legend() {
    sketch_.scale(kMargin + 2, y_ + 4, top_, highlight_.weight_name);
    if (highlight_.parts.empty()) return;
    const double x = kMargin + kLegend + 24;
    sketch_.write(x, y_ + 13, kPartsMean, kSmall);
    out_.width = std::max(out_.width, std::ceil(x + text_ems(kPartsMean) * kSmall + kMargin));
  }

  void word(int64_t h, size_t k, double x, double width) {
    const Palette& palette = sketch_.palette;
    const Rgb fill = shade(palette, places_[static_cast<size_t>(h * n_) + k]);
    const double height = line_height() - 4;
    const bool tips = n_ * H_ <= kMostTips;
    if (tips || fill != palette.background)
      out_.boxes.push_back({x, y_, width, height, fill, tips ? shown_[k] + ": " + fixed(weight(h, k), 4) : ""});
    const bool marked = highlight_.words.mark.has(static_cast<int64_t>(k));
    if (marked) out_.boxes.push_back({x, y_ + height, width, 2, palette.text, ""});
    out_.labels.push_back({.x = x + width / 2,
                           .y = y_ + height / 2 + font_ * 0.34,
                           .spans = {{shown_[k], readable_on(palette, fill)}},
                           .size = font_,
                           .align = Align::middle,
                           .bold = marked});
  }

  void labels() {
    const Palette& palette = sketch_.palette;
    double side = 0;
    std::vector<std::string> names;
    for (const auto& [label, probability] : highlight_.best()) {
      names.push_back(shorten(one_line(label), kLabelColumns));
      side = std::max(side, text_ems(names.back()) * kLabelFont * kBold);
    }
    const double bar = kMargin + side + 10;
    for (size_t k = 0; k < names.size(); ++k) {
      const double p = highlight_.probabilities[k].second, middle = y_ + kLabelLine / 2;
      out_.labels.push_back({.x = bar - 10,
                             .y = middle + kLabelFont * 0.34,
                             .spans = {{names[k], k == 0 ? palette.text : palette.muted}},
                             .size = kLabelFont,
                             .align = Align::end,
                             .bold = k == 0});
      out_.boxes.push_back({bar, middle - kBar.height / 2, kBar.width, kBar.height, palette.faint, ""});
      out_.boxes.push_back({bar, middle - kBar.height / 2, kBar.width * std::clamp(p, 0.0, 1.0), kBar.height,
                            palette.full, one_line(highlight_.probabilities[k].first) + ": " + fixed(p, 4)});
      sketch_.write(bar + kBar.width + 8, middle + kSmall * 0.34, shorten(fixed(p, 2), 8), kSmall);
      y_ += kLabelLine;
    }
    if (!names.empty()) out_.width = std::max(out_.width, std::ceil(bar + kBar.width + 70)), y_ += kBlockGap;
  }

  const Highlight& highlight_;
  const double top_;
  const int64_t n_, H_;
  const std::vector<double> places_;  // [H, n]
  const double margin_;               // for the boxes of parts
  const double font_;
  std::vector<std::string> shown_;
  double y_ = 0;
  Sketch sketch_;
  Picture& out_ = sketch_.out;
};

}  // namespace

Picture draw_highlight(const Highlight& highlight, const PictureOptions& options) {
  return HighlightDrawing(highlight, options).run();
}

}  // namespace lookback::viz
