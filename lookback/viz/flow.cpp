#include "lookback/viz/flow.h"

#include <algorithm>

#include "lookback/viz/tokens.h"

namespace lookback::viz {

Flow::Flow(const std::vector<std::string>& tokens, std::vector<double> widths, Gaps gaps, double room,
           std::span<const int64_t> parts)
    : widths_(std::move(widths)), gaps_(gaps), room_(room), starts_(word_starts(tokens, parts)) {
  for (const std::string& token : tokens) directions_.push_back(direction_of(token));
  right_to_left_ = std::ranges::count(directions_, -1) > std::ranges::count(directions_, 1);
  size_t part = 0, part_end = parts.empty() ? tokens.size() : static_cast<size_t>(parts[0]);
  for (size_t begin = 0, end; begin < tokens.size(); begin = end) {
    if (begin == part_end) part_end += static_cast<size_t>(parts[++part]);
    double width = widths_[begin];
    for (end = begin + 1; end < part_end && width + gap(end) + widths_[end] <= room; ++end)
      width += gap(end) + widths_[end];
    size_t word = end;  // the last place where a word begins
    while (end < part_end && word > begin && !starts_[word]) --word;
    if (word > begin && word < end) {
      for (; end > word; --end) width -= gap(end - 1) + widths_[end - 1];
    }
    lines_.push_back({begin, end, width, part});
  }
}

// Where two runs meet, the gap is that of the text at this place: a line is as wide in any order.
double Flow::gap_before(size_t k, const std::vector<size_t>& order, const TextLine& line) const {
  const auto [before, after] = std::minmax(order[k - 1], order[k]);
  if (after == before + 1) return gap(after);
  return gap(right_to_left_ ? line.end - k : line.begin + k);
}

std::vector<size_t> Flow::visual_order(const TextLine& line) const {
  const int base = right_to_left_ ? -1 : 1;
  const size_t n = line.end - line.begin;
  std::vector<int> directions(directions_.begin() + static_cast<std::ptrdiff_t>(line.begin),
                              directions_.begin() + static_cast<std::ptrdiff_t>(line.end));
  // What has no direction takes that of both its neighbours, or of the text.
  for (size_t begin = 0, end; begin < n; begin = end) {
    for (end = begin + 1; end < n && (directions[begin] == 0) == (directions[end] == 0);) ++end;
    if (directions[begin] != 0) continue;
    const int before = begin > 0 ? directions[begin - 1] : base, after = end < n ? directions[end] : base;
    std::fill(directions.begin() + static_cast<std::ptrdiff_t>(begin),
              directions.begin() + static_cast<std::ptrdiff_t>(end), before == after ? before : base);
  }
  std::vector<size_t> order;
  for (size_t begin = 0, end; begin < n; begin = end) {
    for (end = begin + 1; end < n && directions[end] == directions[begin];) ++end;
    for (size_t k = begin; k < end; ++k) order.push_back(line.begin + k);
    if (directions[begin] != base) std::reverse(order.begin() + static_cast<std::ptrdiff_t>(begin), order.end());
  }
  if (right_to_left_) std::ranges::reverse(order);
  return order;
}

}  // namespace lookback::viz
