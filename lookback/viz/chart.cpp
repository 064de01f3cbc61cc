#include "lookback/viz/chart.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "lookback/base/format_number.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kNothing = 1e-305;  // a panel of numbers no larger than this is one of zeros
constexpr double kConstant = 1e-12;  // a range this much smaller than its numbers is none
constexpr double kPlain = 1e7;       // numbers from here on are written with an exponent

Extent extent_of(const Chart::Panel& panel) {
  Extent e;
  const auto add = [&](double v) {
    if (std::isfinite(v)) e.add(v);
  };
  for (const Chart::Line& line : panel.lines) {
    std::ranges::for_each(line.values, add);
    for (const Chart::Band& band : line.bands)
      for (size_t k = 0; k < band.low.size(); ++k)
        if (std::isfinite(band.low[k]) && std::isfinite(band.high[k])) add(band.low[k]), add(band.high[k]);
  }
  return e;
}

// digits * 10^exponent, rounded once.
double decimal(int64_t digits, int exponent) {
  const std::string text = str_cat(digits, "e", exponent);
  double value = std::numeric_limits<double>::infinity();
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The power of ten at or below x > 0.
int exponent_of(double x) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<size_t>(end - buffer));
  size_t at = text.find('e') + 1;
  if (text[at] == '+') ++at;
  int exponent = 0;
  std::from_chars(buffer + at, end, exponent);
  return exponent;
}

std::string scientific(double x) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::scientific).ptr};
}

// The first number where labels count up by one: 1, 2, 3 for example.
std::optional<int64_t> counts_from(const std::vector<std::string>& labels) {
  constexpr int64_t kMostCount = 1'000'000'000'000;
  int64_t first = 0;
  for (size_t k = 0; k < labels.size(); ++k) {
    int64_t number = 0;
    const char* const end = labels[k].data() + labels[k].size();
    const auto [read, error] = std::from_chars(labels[k].data(), end, number);
    if (error != std::errc() || read != end || number > kMostCount || number < -kMostCount) return std::nullopt;
    if (k == 0) first = number;
    if (number - first != static_cast<int64_t>(k)) return std::nullopt;
  }
  return first;
}

// Of the end of a label that stands for the beginning of a day; 0 if it is none.
size_t midnight_size(std::string_view label) {
  for (const std::string_view end : {"00:00", "00:00:00", "00:00Z", "00:00:00Z", "00:00:00.000", "00:00:00.000000"})
    for (const std::string_view between : {" ", "T"})
      if (label.size() > end.size() + 1 && label.ends_with(end) &&
          label.substr(label.size() - end.size() - 1, 1) == between)
        return end.size() + 1;
  return 0;
}

std::string axis_label(const std::string& label) { return shorten(one_line(label), kNameColumns); }

class Labelling {
 public:
  Labelling(const std::vector<std::string>& labels, const LabelRoom& room)
      : labels_(labels), room_(room), n_(std::ssize(labels)) {}

  std::vector<int64_t> run() {
    int64_t least = 1;
    while (least < n_ && !fits(least, 0)) least += std::max<int64_t>(1, least / 8);
    if (least == 1 || n_ <= 2) return positions(least, 0);
    if (const auto first = counts_from(labels_)) return counted(least, *first);
    choose(least);
    return positions(step_, offset_);
  }

 private:
  const std::string& label(int64_t p) const { return labels_[static_cast<size_t>(p)]; }

  // Those of every step-th label that are wholly in the picture.
  std::vector<int64_t> positions(int64_t step, int64_t offset) const {
    std::vector<int64_t> out;
    for (int64_t p = offset; p < n_; p += step) {
      const double middle = (static_cast<double>(p) + 0.5) * room_.step, half = width(p) / 2;
      if (middle - half >= room_.left && middle + half <= room_.right) out.push_back(p);
    }
    return out;
  }

  double width(int64_t p) const { return room_.width(axis_label(label(p))); }

  bool fits(int64_t step, int64_t offset) const {
    double end = -std::numeric_limits<double>::infinity();
    for (int64_t p = offset; p < n_; p += step) {
      const double middle = (static_cast<double>(p) + 0.5) * room_.step, half = width(p) / 2;
      if (middle - half < end + room_.gap) return false;
      end = middle + half;
    }
    return true;
  }

  std::vector<int64_t> counted(int64_t least, int64_t first) const {
    for (int64_t ten = 1;; ten *= 10)
      for (const int64_t digit : {1, 2, 5}) {
        const int64_t step = digit * ten, offset = ((-first) % step + step) % step;
        if (step < least || (offset < n_ && !fits(step, offset))) continue;
        const std::vector<int64_t> out = positions(step, offset);
        return out.empty() ? positions(n_, 0) : out;
      }
  }

  // How much of the ends of labels is the same, and how round that is.
  std::pair<size_t, int64_t> score(int64_t step, int64_t offset) const {
    if (offset + step >= n_) return {0, 0};
    std::string_view same = label(offset);
    for (int64_t p = offset + step; p < n_; p += step) {
      const std::string& other = label(p);
      size_t common = 0;
      while (common < std::min(same.size(), other.size()) &&
             same[same.size() - 1 - common] == other[other.size() - 1 - common])
        ++common;
      same.remove_prefix(same.size() - common);
    }
    return {same.size(), std::ranges::count(same, '0')};
  }

  void choose(int64_t least) {
    step_ = least;
    auto best = score(least, 0);
    const auto consider = [&](int64_t step, int64_t offset) {
      if (const auto s = score(step, offset); s > best && fits(step, offset)) best = s, step_ = step, offset_ = offset;
    };
    // Steps of hours, days, weeks, months and years in whatever the positions are.
    constexpr int64_t kPeriods[] = {7, 12, 24, 48, 52, 60, 96, 144, 288, 365, 1000, 1440, 3600, 10080, 86400};
    constexpr int64_t kFew = 64, kMostOffsets = 1440;
    if (least <= kFew) {
      for (int64_t step = least; step <= 2 * least; ++step)
        for (int64_t offset = 0; offset < step; ++offset) consider(step, offset);
      return;
    }
    for (const int64_t period : kPeriods)
      for (int64_t step = (least + period - 1) / period * period, tries = 0; step <= 2 * least && tries < kFew;
           step += period, ++tries)
        consider(step, 0);
    for (int64_t offset = 0, step = step_; offset < std::min(step, kMostOffsets); ++offset) consider(step, offset);
  }

  const std::vector<std::string>& labels_;
  const LabelRoom& room_;
  const int64_t n_;
  int64_t step_ = 1, offset_ = 0;
};

std::string range_text(const Extent& e) {
  const std::string low = value_text(e.low), high = value_text(e.high);
  return low == high ? low : low + " to " + high;
}

}  // namespace

SeriesOf::SeriesOf(const Chart& chart) {
  std::vector<std::map<std::string, std::pair<double, int64_t>>> widths;  // of the bands: sum and count
  for (const Chart::Panel& panel : chart.panels)
    for (const Chart::Line& line : panel.lines) {
      const auto [at, fresh] = numbers_.try_emplace(line.name, all_.size());
      if (fresh) all_.push_back({.name = line.name, .dots = line.dots, .bands = {}}), widths.emplace_back();
      Series& series = all_[at->second];
      for (const Chart::Band& band : line.bands) {
        auto [sum, first] = widths[at->second].try_emplace(band.name, 0.0, 0);
        if (first) series.bands.push_back({band.name});
        auto& [mean, count] = sum->second;
        for (size_t k = 0; k < band.low.size(); ++k)
          if (std::isfinite(band.low[k]) && std::isfinite(band.high[k]))
            mean += (std::abs(band.high[k] / 2 - band.low[k] / 2) - mean) / static_cast<double>(++count);
      }
    }
  for (size_t s = 0; s < all_.size(); ++s) {
    for (SeriesBand& band : all_[s].bands) band.width = widths[s].at(band.name).first;
    std::ranges::stable_sort(all_[s].bands, [](const auto& a, const auto& b) { return a.width > b.width; });
  }
}

bool SeriesOf::told() const {
  return std::ranges::any_of(all_, [](const Series& s) { return !s.name.empty() || !s.bands.empty(); });
}

double ValueAxis::place(double value) const {
  return std::clamp((value / 2 - low / 2) / (high / 2 - low / 2), 0.0, 1.0);
}

ValueAxis value_axis(const Chart::Panel& panel, int ticks) {
  auto [low, high] = extent_of(panel);
  const double size = std::max(std::abs(low), std::abs(high));
  if (size < kNothing) {
    low = -1, high = 1;
  } else if (high / 2 - low / 2 < size * kConstant) {
    low = std::max(low - size * 0.1, -kLargest), high = std::min(high + size * 0.1, kLargest);
  } else {
    const double half = high / 2 - low / 2;  // the whole may be infinite
    const bool from_zero = low >= 0 && low <= half * 0.7, to_zero = high <= 0 && high >= -half * 0.7;
    low = from_zero ? 0 : std::max(low - half * 0.1, -kLargest);
    high = to_zero ? 0 : std::min(high + half * 0.1, kLargest);
  }
  ValueAxis axis{low, high, {}};
  const double least = (high / 2 - low / 2) / ((ticks + 1) / 2.0);
  int exponent = exponent_of(least);
  int64_t digit = 1;
  while (decimal(digit, exponent) < least) digit = digit == 1 ? 2 : digit == 2 ? 5 : 10;
  if (digit == 10) digit = 1, ++exponent;
  const double step = decimal(digit, exponent);
  const bool plain = std::max(std::abs(low), std::abs(high)) < kPlain && exponent > -7;
  for (auto k = static_cast<int64_t>(std::ceil(low / step)); k <= static_cast<int64_t>(std::floor(high / step)); ++k) {
    const double value = k == 0 ? 0 : decimal(k * digit, exponent);
    if (value < low || value > high) continue;
    axis.ticks.push_back(
        {value, plain || k == 0 ? fixed(value, plain ? std::max(0, -exponent) : 0) : scientific(value)});
  }
  return axis;
}

std::vector<AxisLabel> axis_labels(const std::vector<std::string>& labels, const LabelRoom& room) {
  std::vector<int64_t> days;
  std::vector<std::string> dates;
  for (size_t k = 0; k < labels.size(); ++k)
    if (const size_t end = midnight_size(labels[k]); end > 0)
      days.push_back(static_cast<int64_t>(k)), dates.push_back(labels[k].substr(0, labels[k].size() - end));
  const bool even = days.size() >= 2 && std::ranges::adjacent_find(days, [&](int64_t a, int64_t b) {
                                          return b - a != days[1] - days[0];
                                        }) == days.end();
  if (even) {
    const int64_t between = days[1] - days[0];
    LabelRoom wide = room;
    wide.step = room.step * static_cast<double>(between);
    // Of the first day to half a step of days before it.
    const double shift = (static_cast<double>(days[0]) + 0.5) * room.step - wide.step / 2;
    wide.left -= shift, wide.right -= shift;
    std::vector<AxisLabel> out;
    for (const int64_t k : Labelling(dates, wide).run())
      out.push_back({days[static_cast<size_t>(k)], axis_label(dates[static_cast<size_t>(k)])});
    if (out.size() >= 2) return out;
  }
  std::vector<AxisLabel> out;
  if (!labels.empty())
    for (const int64_t k : Labelling(labels, room).run())
      out.push_back({k, axis_label(labels[static_cast<size_t>(k)])});
  return out;
}

std::vector<Bucket> buckets(int64_t positions, int64_t most) {
  const int64_t count = std::min(positions, most);
  std::vector<Bucket> out;
  for (int64_t k = 0; k < count; ++k) out.push_back({positions * k / count, positions * (k + 1) / count});
  return out;
}

std::vector<std::vector<Summary>> summaries(const Chart::Panel& panel, const SeriesOf& series,
                                            const std::vector<Bucket>& buckets, int64_t positions) {
  std::vector<Summary> none(series.all().size());
  for (size_t s = 0; s < none.size(); ++s) none[s].bands.resize(series.all()[s].bands.size());
  std::vector<std::vector<Summary>> out(buckets.size(), none);
  std::vector<size_t> bucket_of(static_cast<size_t>(positions));
  for (size_t b = 0; b < buckets.size(); ++b)
    std::fill(bucket_of.begin() + buckets[b].begin, bucket_of.begin() + buckets[b].end, b);
  for (const Chart::Line& line : panel.lines) {
    const size_t s = series(line);
    const size_t* const at = bucket_of.data() + line.first;
    for (size_t k = 0; k < line.values.size(); ++k)
      if (std::isfinite(line.values[k])) out[at[k]][s].values.add(line.values[k]);
    for (const Chart::Band& band : line.bands) {
      const auto& names = series.all()[s].bands;
      const auto b = static_cast<size_t>(std::ranges::find(names, band.name, &SeriesBand::name) - names.begin());
      for (size_t k = 0; k < band.low.size(); ++k)
        if (std::isfinite(band.low[k]) && std::isfinite(band.high[k]))
          out[at[k]][s].bands[b].add(band.low[k]), out[at[k]][s].bands[b].add(band.high[k]);
    }
  }
  return out;
}

std::string value_text(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6).ptr};
}

std::string stamp(const Chart& chart, Bucket bucket) {
  const auto label = [&](int64_t p) { return axis_label(chart.x.tokens[static_cast<size_t>(p)]); };
  const std::string first = label(bucket.begin);
  return bucket.end - bucket.begin < 2 ? first : first + " to " + label(bucket.end - 1);
}

std::string summary_text(const Series& series, const Summary& s) {
  std::string bands;
  for (size_t b = 0; b < s.bands.size(); ++b)
    if (s.bands[b].any())
      bands += (bands.empty() ? "" : "; ") + shorten(one_line(series.bands[b].name), kNameColumns) + ": " +
               value_text(s.bands[b].low) + " to " + value_text(s.bands[b].high);
  if (!s.values.any() && bands.empty()) return "";
  std::string out = series.name.empty() ? "" : shorten(one_line(series.name), kNameColumns);
  if (s.values.any()) out += (out.empty() ? "" : " ") + range_text(s.values);
  return bands.empty() ? out : out + (out.empty() ? "(" : " (") + bands + ")";
}

std::vector<BarGroup> bar_groups(const Chart& chart) {
  std::vector<BarGroup> out;
  std::map<std::string, size_t> numbers;
  for (size_t k = 0; k < std::min(chart.bars.size(), kMostBars); ++k) {
    const auto [at, fresh] = numbers.try_emplace(chart.bars[k].group, out.size());
    if (fresh) out.push_back({chart.bars[k].group, {}});
    out[at->second].bars.push_back(&chart.bars[k]);
  }
  return out;
}

Extent bar_extent(const Chart& chart) {
  Extent e;
  e.add(0);
  for (size_t k = 0; k < std::min(chart.bars.size(), kMostBars); ++k) e.add(chart.bars[k].value);
  if (e.low == e.high) e.high = 1;
  return e;
}

std::string more_bars(const Chart& chart) {
  return chart.bars.size() > kMostBars ? str_cat("… and ", chart.bars.size() - kMostBars, " more") : "";
}

}  // namespace lookback::viz
