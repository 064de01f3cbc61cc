// Private to viz: how the words of a text fill lines.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lookback::viz {

// Tokens [begin, end) of a text and their width, gaps included; and the part they are of.
struct TextLine {
  size_t begin, end;
  double width;
  size_t part = 0;
};

// A text in lines: where it breaks and where each token stands, in whatever unit the widths have.
class Flow {
 public:
  struct Gaps {
    double words, pieces;  // between two words, between two pieces of one
  };
  // Lines break before a word, or inside one that is wider than `room`; and after each part of so many tokens.
  Flow(const std::vector<std::string>& tokens, std::vector<double> widths, Gaps gaps, double room,
       std::span<const int64_t> parts = {});

  const std::vector<TextLine>& lines() const { return lines_; }
  bool right_to_left() const { return right_to_left_; }  // the text, by most of its tokens

  // Calls put(token, x, width) from left to right over a line. Runs of right-to-left tokens stand as their script is
  // read (the rules of UAX #9, for whole tokens), and such a text ends at `room`.
  template <class F>
  void place(const TextLine& line, F&& put) const {
    double x = right_to_left_ ? room_ - line.width : 0;
    const std::vector<size_t> order = visual_order(line);
    for (size_t k = 0; k < order.size(); ++k) {
      if (k > 0) x += gap_before(k, order, line);
      put(order[k], x, widths_[order[k]]);
      x += widths_[order[k]];
    }
  }

 private:
  double gap(size_t token) const { return starts_[token] ? gaps_.words : gaps_.pieces; }  // before it, in the text
  double gap_before(size_t k, const std::vector<size_t>& order, const TextLine& line) const;
  std::vector<size_t> visual_order(const TextLine& line) const;

  std::vector<double> widths_;
  Gaps gaps_;
  double room_;
  std::vector<bool> starts_;
  std::vector<int> directions_;  // -1 right to left, 1 left to right, 0 neither
  bool right_to_left_ = false;
  std::vector<TextLine> lines_;
};

}  // namespace lookback::viz
