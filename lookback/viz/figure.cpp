#include "lookback/viz/figure.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/base/format_number.h"
#include "lookback/base/utf8.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

constexpr std::string_view kTakenNames[] = {"generator", "title",    "weights", "scores",
                                            "cells",     "underlay", "marked"};  // keys of the JSON

const std::string& token(const Axis& axis, int64_t k) { return axis.tokens[static_cast<size_t>(k)]; }

void check_names(const HeatMap& map) {
  for (const Axis* axis : {&map.columns, &map.rows}) {
    check(!axis->name.empty(), "heat map: its ", axis == &map.rows ? "rows" : "columns", " have no name");
    check(std::ranges::find(kTakenNames, axis->name) == std::end(kTakenNames), "heat map: an axis cannot be called '",
          axis->name, "', which names another part of its JSON");
  }
  check(with_replacements(map.columns.name) != with_replacements(map.rows.name),
        "heat map: columns and rows are both '", one_line(map.rows.name), "'; give them two names");
}

// `n` tokens may be marked.
void check_mark(const char* figure, const Axis& axis, int64_t n) {
  const auto& [begin, end] = axis.mark;
  check(axis.mark.empty() || (begin >= 0 && begin < end && end <= n), figure, ": the mark of ", one_line(axis.name),
        " [", begin, ", ", end, ") is not among the ", n, " that can be marked");
}

void check_seconds(const HeatMap& map) {
  const double seconds = map.columns.seconds;
  check<NumericError>(std::isfinite(seconds) && seconds >= 0, "heat map: a column of ", seconds,
                      " seconds; give how long each is, or 0 for tokens");
  check(map.rows.seconds == 0, "heat map: rows cannot be seconds, only columns can");
  check(seconds == 0 || map.columns.tokens.empty(), "heat map: columns of ", seconds, " seconds have no tokens, got ",
        map.columns.tokens.size());
  check(seconds == 0 || map.cells.empty(), "heat map: columns of seconds have no text in their cells");
  if (map.underlay.size() == 0) return;
  check(seconds > 0, "heat map: an underlay needs columns of seconds; set columns.seconds");
  check(map.underlay.dtype() == Dtype::f32, "heat map: its underlay must be f32, got ", name_of(map.underlay.dtype()));
  check(map.underlay.shape().rank() == 2, "heat map: its underlay must be [frames, frequencies], got ",
        map.underlay.shape());
  const float* v = map.underlay.data<float>();
  const int64_t F = map.underlay.dim(1);
  for (int64_t k = 0; k < map.underlay.size(); ++k)
    check<NumericError>(std::isfinite(v[k]), "heat map: underlay[", k / F, ",", k % F, "] is ", v[k],
                        ", not a finite number");
}

std::string column_name(const HeatMap& map, int64_t t) {
  if (map.columns.seconds == 0) return "'" + visible(token(map.columns, t)).whole() + "'";
  return fixed(static_cast<double>(t) * map.columns.seconds, 3) + " s";
}

void check_parts(const HeatMap& map) {
  check_names(map);
  check_seconds(map);
  const int64_t T = map.column_count(), U = std::ssize(map.rows.tokens);
  const std::string columns = one_line(map.columns.name), row_name = one_line(map.rows.name);
  check(map.token_rows() >= 0, "heat map: has totals and no row");
  check_mark("heat map", map.columns, 0);
  check_mark("heat map", map.rows, map.columns.seconds > 0 ? 0 : map.token_rows());
  check(map.row_scores.empty() || std::ssize(map.row_scores) == U, "heat map: ", U, " ", row_name, " tokens need ", U,
        " scores or none, got ", map.row_scores.size());
  for (int64_t u = 0; u < std::ssize(map.row_scores); ++u) {
    const double score = map.row_scores[static_cast<size_t>(u)];
    check<NumericError>(std::isfinite(score), "heat map: row_scores[", u, "] of '", visible(token(map.rows, u)).whole(),
                        "' is ", score, ", not a finite number");
  }
  const int64_t cells = map.token_rows() * T;
  check(map.cells.empty() || std::ssize(map.cells) == cells, "heat map: ", map.token_rows(), " ", row_name, " and ", T,
        " ", columns, " tokens need text in ", cells, " cells or none, got ", map.cells.size());
  if ((T == 0 || U == 0) && map.weights.size() == 0) return;
  check(map.weights.dtype() == Dtype::f32, "heat map: weights must be f32, got ", name_of(map.weights.dtype()));
  check(map.weights.shape() == Shape{U, T}, "heat map: weights must be ", Shape{U, T}, " for ", U, " ", row_name,
        " and ", T, " ", columns, map.columns.seconds > 0 ? " frames" : " tokens", ", got ", map.weights.shape());
  const float* w = map.weights.data<float>();
  for (int64_t k = 0; k < U * T; ++k)
    check<NumericError>(std::isfinite(w[k]), "heat map: weights[", k / T, ",", k % T, "] of '",
                        visible(token(map.rows, k / T)).whole(), "' looking at ", column_name(map, k % T), " is ", w[k],
                        ", not a finite number");
}

void check_sentences(const Highlight& h) {
  const int64_t n = std::ssize(h.words.tokens), parts = std::ssize(h.parts);
  const std::string name = one_line(h.words.name);
  int64_t words = 0;
  for (int64_t p = 0; p < parts; ++p) {
    const int64_t more = h.parts[static_cast<size_t>(p)];
    check(more >= 1, "highlight: parts[", p, "] has ", more, " ", name, ", needs at least one");
    check(more <= n - words, "highlight: parts[", p, "] ends after the last of ", n, " ", name);
    words += more;
  }
  check(parts == 0 || words == n, "highlight: its parts have ", words, " of ", n, " ", name);
  if (parts == 0 && h.part_weights.size() == 0) return;
  check(h.part_weights.dtype() == Dtype::f32, "highlight: part_weights must be f32, got ",
        name_of(h.part_weights.dtype()));
  check(h.part_weights.shape() == Shape{parts}, "highlight: part_weights must be [", parts, "] for ", parts,
        " parts, got ", h.part_weights.shape());
  for (int64_t p = 0; p < parts; ++p)
    check<NumericError>(std::isfinite(h.part_weights.data<float>()[p]), "highlight: part_weights[", p, "] is ",
                        h.part_weights.data<float>()[p], ", not a finite number");
}

void check_parts(const Highlight& h) {
  check(!h.words.name.empty(), "highlight: its words have no name");
  for (const auto& [label, probability] : h.probabilities)
    check<NumericError>(std::isfinite(probability), "highlight: the probability of '", one_line(label), "' is ",
                        probability, ", not a finite number");
  check_sentences(h);
  const int64_t n = std::ssize(h.words.tokens);
  check_mark("highlight", h.words, n);
  if (n == 0 && h.weights.size() == 0) return;
  check(h.weights.dtype() == Dtype::f32, "highlight: weights must be f32, got ", name_of(h.weights.dtype()));
  const Shape& shape = h.weights.shape();
  check(shape == Shape{n} || (shape.rank() == 2 && shape[0] > 0 && shape[1] == n), "highlight: weights must be [", n,
        "] or [hops,", n, "] for ", n, " ", one_line(h.words.name), ", got ", shape);
  const float* w = h.weights.data<float>();
  for (int64_t k = 0; k < h.weights.size(); ++k)
    check<NumericError>(std::isfinite(w[k]), "highlight: weights[", shape.rank() == 2 ? str_cat(k / n, ",") : "", k % n,
                        "] of '", visible(token(h.words, k % n)).whole(), "' is ", w[k], ", not a finite number");
}

// NaN is a gap, infinity is none.
void check_values(const std::vector<double>& values, const std::string& place) {
  for (size_t k = 0; k < values.size(); ++k)
    check<NumericError>(!std::isinf(values[k]), "chart: ", place, "[", k, "] is ", values[k], "; a gap is NaN");
}

void check_positions(int64_t first, size_t size, int64_t n, const std::string& place) {
  const auto many = static_cast<int64_t>(size);
  check(many >= 1, "chart: ", place, " has no values");
  check(first >= 0 && first <= n && many <= n - first, "chart: ", place, " has ", many, " values from position ", first,
        " on, but the chart has ", n, " positions");
}

// Whether there is a number to draw.
bool check_line(const Chart::Line& line, int64_t n, const std::string& place) {
  const size_t size = line.values.size();
  check_positions(line.first, size, n, place);
  check_values(line.values, place + ".values");
  bool any = std::ranges::any_of(line.values, [](double v) { return std::isfinite(v); });
  for (size_t b = 0; b < line.bands.size(); ++b) {
    const Chart::Band& band = line.bands[b];
    const std::string where = str_cat(place, ".bands[", b, "]");
    check(band.low.size() == size && band.high.size() == size, "chart: ", where, " '", one_line(band.name), "' has ",
          band.low.size(), " lower and ", band.high.size(), " upper bounds for ", size, " values");
    check_values(band.low, where + ".low");
    check_values(band.high, where + ".high");
    for (size_t k = 0; k < size; ++k) any = any || (std::isfinite(band.low[k]) && std::isfinite(band.high[k]));
  }
  return any;
}

void check_parts(const Chart& c) {
  const int64_t n = std::ssize(c.x.tokens);
  check_mark("chart", c.x, 0);
  check(!c.panels.empty() || !c.strips.empty() || !c.bars.empty(), "chart: has no panel, no strip and no bar");
  check(n > 0 || (c.panels.empty() && c.strips.empty() && c.rules.empty()),
        "chart: its x axis has no positions; give each one a label in x.tokens");
  for (size_t p = 0; p < c.panels.size(); ++p) {
    bool any = false;
    check(!c.panels[p].lines.empty(), "chart: panels[", p, "] has no line");
    for (size_t k = 0; k < c.panels[p].lines.size(); ++k)
      if (check_line(c.panels[p].lines[k], n, str_cat("panels[", p, "].lines[", k, "]"))) any = true;
    check(any, "chart: panels[", p, "] has no number to draw, only gaps");
  }
  for (size_t k = 0; k < c.rules.size(); ++k)
    check(c.rules[k].position >= 0 && c.rules[k].position < n, "chart: rules[", k, "] is at position ",
          c.rules[k].position, ", but the chart has ", n, " positions");
  for (size_t k = 0; k < c.strips.size(); ++k) {
    const std::string place = str_cat("strips[", k, "]");
    check_positions(c.strips[k].first, c.strips[k].weights.size(), n, place);
    for (size_t t = 0; t < c.strips[k].weights.size(); ++t)
      check<NumericError>(std::isfinite(c.strips[k].weights[t]), "chart: ", place, ".weights[", t, "] is ",
                          c.strips[k].weights[t], ", not a finite number");
  }
  for (size_t k = 0; k < c.bars.size(); ++k)
    check<NumericError>(std::isfinite(c.bars[k].value), "chart: bars[", k, "] '", one_line(c.bars[k].name), "' is ",
                        c.bars[k].value, ", not a finite number");
}

void check_picture(const Tensor& picture) {
  check(picture.dtype() == Dtype::f32, "picture maps: the picture must be f32, got ", name_of(picture.dtype()));
  const Shape& shape = picture.shape();
  check(shape.rank() == 3 && shape[0] > 0 && shape[1] > 0 && shape[2] == 3,
        "picture maps: the picture must be [height,width,3], got ", shape);
  const float* v = picture.data<float>();
  for (int64_t k = 0; k < picture.size(); ++k)
    check<NumericError>(v[k] >= 0 && v[k] <= 255, "picture maps: picture[", k / 3 / shape[1], ",", k / 3 % shape[1],
                        ",", k % 3, "] is ", v[k], "; colours are 0 to 255");
}

void check_parts(const PictureMaps& maps) {
  check_picture(maps.picture);
  const int64_t U = std::ssize(maps.tokens);
  const auto numbers = [&](const std::vector<double>& values, const char* name, double least) {
    check(values.empty() || std::ssize(values) == U, "picture maps: ", U, " tokens need ", U, " ", name,
          " or none, got ", values.size());
    for (size_t u = 0; u < values.size(); ++u)
      check<NumericError>(std::isfinite(values[u]) && values[u] >= least, "picture maps: ", name, "[", u, "] of '",
                          visible(maps.tokens[u]).whole(), "' is ", values[u],
                          least == 0 ? ", not a finite number of 0 or more" : ", not a finite number");
  };
  numbers(maps.elsewhere, "elsewhere", 0);
  numbers(maps.row_scores, "row_scores", std::numeric_limits<double>::lowest());
  check(maps.grid_height > 0 && maps.grid_width > 0, "picture maps: the grid must have cells, got ", maps.grid_height,
        " x ", maps.grid_width);
  if (U == 0 && maps.weights.size() == 0) return;
  check(maps.weights.dtype() == Dtype::f32, "picture maps: weights must be f32, got ", name_of(maps.weights.dtype()));
  // Divided, not multiplied: two sides of any size have no product of any size.
  const Shape& shape = maps.weights.shape();
  check(shape.rank() == 2 && shape[0] == U && shape[1] % maps.grid_width == 0 &&
            shape[1] / maps.grid_width == maps.grid_height,
        "picture maps: weights must be [", U, ",", maps.grid_height, " * ", maps.grid_width, "] for ", U,
        " tokens and a grid of ", maps.grid_height, " x ", maps.grid_width, ", got ", shape);
  const float* w = maps.weights.data<float>();
  for (int64_t k = 0; k < maps.weights.size(); ++k)
    check<NumericError>(std::isfinite(w[k]) && w[k] >= 0, "picture maps: weights[", k / shape[1], ",", k % shape[1],
                        "] of '", visible(maps.tokens[static_cast<size_t>(k / shape[1])]).whole(), "' is ", w[k],
                        ", not a finite number of 0 or more");
}

}  // namespace

void check_figure(const Figure& figure) {
  std::visit([](const auto& f) { check_parts(f); }, figure);
}

HeatMap confusion_map(std::span<const int64_t> counts, const std::vector<std::string>& names, std::string title) {
  const size_t K = names.size();
  check(counts.size() == K * K, "confusion map: ", K, " names need ", K * K, " counts, got ", counts.size());
  HeatMap map{.columns = {"predicted", names},
              .rows = {"gold", names},
              .weights = Tensor::zeros({std::ssize(names), std::ssize(names)}),
              .title = std::move(title),
              .weight_name = "share of the row"};
  for (size_t u = 0; u < K; ++u) {
    double sum = 0;
    for (size_t t = 0; t < K; ++t) {
      const int64_t count = counts[u * K + t];
      check<NumericError>(count >= 0, "confusion map: the count of '", one_line(names[u]), "' predicted as '",
                          one_line(names[t]), "' is ", count);
      sum += static_cast<double>(count);
      map.cells.push_back(std::to_string(count));
    }
    for (size_t t = 0; t < K && sum > 0; ++t)
      map.weights.data<float>()[u * K + t] = static_cast<float>(static_cast<double>(counts[u * K + t]) / sum);
  }
  return map;
}

HeatMap with_totals(HeatMap map) {
  check_figure(map);
  const int64_t T = map.column_count(), U = std::ssize(map.rows.tokens);
  if (map.totals || T == 0 || U == 0) return map;
  Tensor weights({U + 1, T});
  const float* from = map.weights.data<float>();
  float* to = std::copy_n(from, U * T, weights.data<float>());
  for (int64_t t = 0; t < T; ++t) {
    double sum = 0;
    for (int64_t u = 0; u < U; ++u) sum += static_cast<double>(from[u * T + t]);
    to[t] = static_cast<float>(sum);
  }
  map.weights = weights;
  map.rows.tokens.emplace_back("Σ");
  if (!map.row_scores.empty()) {
    double sum = 0;
    for (const double score : map.row_scores) sum += score;
    map.row_scores.push_back(sum);
  }
  map.totals = true;
  return map;
}

}  // namespace lookback::viz
