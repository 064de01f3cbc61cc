// Private to viz: what the picture and the terminal's text of a chart have in common.
#pragma once

#include <functional>
#include <limits>
#include <map>

#include "lookback/viz/figure.h"

namespace lookback::viz {

constexpr size_t kMostSeries = 24, kMostBars = 100;  // in the legend; drawn
constexpr int64_t kNameColumns = 26;                 // longer names and stamps are cut

// All bands of one name that lines of a series have.
struct SeriesBand {
  std::string name;  // raw
  double width = 0;  // the mean of half of it
};

// All lines of one name.
struct Series {
  std::string name;  // raw
  bool dots = false;
  std::vector<SeriesBand> bands;  // the widest first
};

// The series of a chart, in the order in which they first come.
class SeriesOf {
 public:
  explicit SeriesOf(const Chart& chart);
  const std::vector<Series>& all() const { return all_; }
  size_t operator()(const Chart::Line& line) const { return numbers_.at(line.name); }
  bool told() const;  // whether there is anything to say in a legend

 private:
  std::vector<Series> all_;
  std::map<std::string, size_t> numbers_;
};

// The least and the largest of some values; none yet where low > high.
struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double v) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  bool any() const { return low <= high; }
};

// What is up the side of a panel: a range a little larger than that of its numbers, from 0 on where that is near, and
// round numbers in it. Numbers of any size, the whole range of double included.
struct ValueAxis {
  struct Tick {
    double value;
    std::string text;
  };
  double low = 0, high = 1;
  std::vector<Tick> ticks;

  double place(double value) const;  // 0 at the foot, 1 at the top
};
ValueAxis value_axis(const Chart::Panel& panel, int ticks);  // about so many, at most two more

// The labels that are written: evenly spaced, none nearer to its neighbour than `gap`, each wholly between `left` and
// `right`; positions are `step` apart, the first at step / 2. Where some labels are midnights ("2024-06-03 00:00") and
// evenly spaced, only these, as dates. Of steps that fit, up to twice the least, one is taken whose labels have the
// longest end in common ("12:00", "-01"); for labels that count, 1, 2 or 5 times a power of ten.
struct AxisLabel {
  int64_t position;
  std::string text;  // fit to be shown
};
struct LabelRoom {
  double step, gap, left, right;
  std::function<double(const std::string&)> width;  // of a label as it is shown
};
std::vector<AxisLabel> axis_labels(const std::vector<std::string>& labels, const LabelRoom& room);

// As many neighbouring positions as fall into one column of a picture or a terminal.
struct Bucket {
  int64_t begin, end;
};
std::vector<Bucket> buckets(int64_t positions, int64_t most);

// What a panel has in each of its buckets: the extent of each series and of its bands, [buckets][series].
struct Summary {
  Extent values;
  std::vector<Extent> bands;  // in the order of the series
};
std::vector<std::vector<Summary>> summaries(const Chart::Panel& panel, const SeriesOf& series,
                                            const std::vector<Bucket>& buckets, int64_t positions);

std::string stamp(const Chart& chart, Bucket bucket);              // "March", or "March to May"
std::string value_text(double value);                              // with six digits that count
std::string summary_text(const Series& series, const Summary& s);  // "forecast 3.1 (80 %: 2.5 to 3.7)", or ""

// Bars of a group, in the order in which groups first come; at most kMostBars in all.
struct BarGroup {
  std::string name;  // raw
  std::vector<const Chart::Bar*> bars;
};
std::vector<BarGroup> bar_groups(const Chart& chart);
Extent bar_extent(const Chart& chart);      // of what is drawn, 0 included, never empty
std::string more_bars(const Chart& chart);  // "… and 12 more", or ""

}  // namespace lookback::viz
