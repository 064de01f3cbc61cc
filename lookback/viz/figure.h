// Pictures of where a model looked, drawn for terminals, documents, web pages
// and programs: a heat map of one sequence over another, a highlight of the words
// of one text, a chart of series over time, and maps over a picture.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lookback/tensor/tensor.h"

namespace lookback::viz {

// What the columns, rows or words of a figure are. Tokens are as the model saw
// them, marks of subwords included (SentencePiece's U+2581 before a word, BPE's
// "@@" after or WordPiece's "##" before a piece); names and tokens may hold any
// bytes, and every renderer escapes them and shows malformed UTF-8 as U+FFFD.
struct Axis {
  std::string name;  // "source"
  std::vector<std::string> tokens;
  double seconds = 0;  // the length of one cell, where the axis is time and has no tokens; only columns of a heat map
  // Tokens [begin, end) stand out, an answer in its passage for example: words of a highlight are underlined (in a
  // terminal without colours they stand in brackets), rows of a heat map over tokens have a bar beside them. Nothing
  // else can be marked.
  struct Mark {
    int64_t begin = 0, end = 0;
    bool has(int64_t token) const { return begin <= token && token < end; }
    bool empty() const { return begin == end; }
  } mark;
};

// One row per token that looked, one column per token that it could look at. Columns may be frames of a recording
// instead, hundreds of them: such a map is drawn as wide as a page and has seconds below it, under them, given an
// underlay, what was heard. Frames that share a place on paper show the largest weight.
struct HeatMap {
  Axis columns{"columns", {}};  // T tokens
  Axis rows{"rows", {}};        // U tokens
  Tensor weights;               // f32 [U, T]; may be left empty when U or T is 0
  std::string title;
  std::vector<double> row_scores;  // log-probability of each token of the rows, or nothing
  bool totals = false;             // the last row is that of with_totals
  // [U * T] what is written in each cell, those of the totals left out, or nothing: a confusion matrix's counts. Such a
  // map is drawn as a table, with the names of its axes and no word of attention. Text is faint where the weight is 0,
  // and left out above 100 rows or columns and where a terminal is too narrow for all of it.
  std::vector<std::string> cells;
  std::string weight_name = "weight";  // what the scale is of; not in JSON
  // f32 [S, F], 0 to 1, low frequencies first: a spectrogram of the time of all columns, log mel energies for example,
  // drawn beneath them on the same scale of time. S need not be T; or empty. Only where columns are seconds.
  Tensor underlay;

  int64_t token_rows() const { return std::ssize(rows.tokens) - (totals ? 1 : 0); }
  // T, whatever the columns are.
  int64_t column_count() const {
    if (columns.seconds == 0) return std::ssize(columns.tokens);
    return weights.shape().rank() == 2 ? weights.dim(1) : 0;
  }
};

// One text, each of its words as strong as its weight; and what came of it.
// With parts, those of a hierarchical attention network for example (Yang et al.
// 2016), each part stands on lines of its own behind a box with its weight, which
// is shaded on the scale of the figure. A word is then shaded by
//   sqrt(weight of its part on the scale) * weight / largest weight in its part,
// so that a long part is as dark as a short one of its weight, and what leads in
// a part that hardly counts stays faint; Scale::unit has sqrt(weight of its part)
// * weight, as Yang et al. draw it. The largest is that of all hops.
struct Highlight {
  Axis words{"words", {}};  // n tokens
  Tensor weights;           // f32 [n], or [H, n] for H hops; may be left empty when n is 0
  std::string title;
  std::vector<std::pair<std::string, double>> probabilities;  // of labels, best first, or nothing
  // The words in parts, sentences for example, each of which has a weight of its own: how many words each has, at
  // least one, in order, together n; or nothing. They are drawn for each hop.
  std::vector<int64_t> parts;
  Tensor part_weights;                 // f32 [parts]; weights of words are then shares within their part
  std::string weight_name = "weight";  // what the scale is of; not in JSON

  int64_t hops() const { return weights.shape().rank() == 2 ? weights.dim(0) : 1; }
  // What is drawn of the probabilities: the first ten. JSON has all.
  std::span<const std::pair<std::string, double>> best() const {
    return std::span(probabilities).first(std::min<size_t>(probabilities.size(), 10));
  }
};

// Series over one axis of positions, time for example: a forecast with its bands after the past of its series, a
// back-test, an error by steps ahead; below them what the model looked at. Panels stand one under another and share the
// positions, as do strips of shaded cells, one for each hop, head or step ahead; bars follow, the weights of variables
// for example. Lines of one name are one series: they have one colour and one place in the legend, in all panels.
struct Chart {
  // An interval around each value of a line. Of two bounds the lesser is the lower one, whatever quantiles crossed.
  struct Band {
    std::string name;               // "80 %"
    std::vector<double> low, high;  // as many as the line has values; NaN in either is a gap
  };
  struct Line {
    std::string name;
    std::vector<double> values;  // NaN is a gap
    int64_t first = 0;           // position of values[0]
    std::vector<Band> bands;     // in any order; the widest is drawn first
    bool dots = false;           // drawn as dots, not as a line
  };
  struct Panel {
    std::string name;  // what is up its axis: "load in MW"
    std::vector<Line> lines;
  };
  struct Rule {
    int64_t position = 0;
    std::string name;  // "origin"
  };
  struct Strip {
    std::string name;
    std::vector<double> weights;
    int64_t first = 0;  // position of weights[0]
  };
  struct Bar {
    std::string group, name;  // bars of one group stand together, in the order given
    double value = 0;
  };

  Axis x{"time", {}};  // n positions: the token of each is its label, a time stamp for example, of any bytes
  std::vector<Panel> panels;
  std::vector<Rule> rules;  // vertical lines through all panels
  std::vector<Strip> strips;
  std::vector<Bar> bars;  // the first hundred are drawn; JSON has all
  std::string title;
  std::string weight_name = "weight";  // what the strips are of; not in JSON
};

// Where on a picture the model looked at each word it wrote about it (Xu et al. 2015). Drawn as a film: the picture,
// then once more for each word, grey and dim where no weight lies and in its own colours where much does, with a line
// at half of what is drawn brightest.
struct PictureMaps {
  Tensor picture;                   // f32 [H, W, 3], rows from the top; red, green and blue, each 0 to 255
  std::vector<std::string> tokens;  // U, as the model saw them; the end "</s>" may be among them
  Tensor weights;  // f32 [U, grid_height * grid_width], row by row from the top; may be empty when U is 0
  int64_t grid_height = 0, grid_width = 0;  // the cells lie evenly over the picture
  std::vector<double> elsewhere;   // [U] weight that is not on the picture, on a sentinel's for example; or nothing
  std::vector<double> row_scores;  // log-probability of each token, or nothing
  std::string title;
};

using Figure = std::variant<HeatMap, Highlight, Chart, PictureMaps>;

enum class Theme { light, dark };

// What the far end of the colour scale stands for: a weight of one, or the
// largest weight of the figure (for long texts, where no weight comes near one),
// of its parts where it has them. automatic takes unit for heat maps and peak for
// those over seconds, for highlights and for the strips of charts; maps over a
// picture then have a scale for each word, up to its own largest weight.
enum class Scale { automatic, unit, peak };

// How the terminal writes the tokens of columns: each on a line of its own with
// a guide down to its column, or top to bottom above the column. automatic takes
// staggered where it fits in a dozen lines, and where letters join.
enum class ColumnLabels { automatic, staggered, vertical };

struct TerminalOptions {
  int64_t width = 80;  // columns; a wider map is cut into panels. Less than 20 counts as 20
  bool color = true;   // 256 colours; without them, Unicode shades. The caller honours NO_COLOR
  Theme theme = Theme::dark;
  Scale scale = Scale::automatic;
  ColumnLabels labels = ColumnLabels::automatic;
};

struct PictureOptions {
  Theme theme = Theme::light;
  Scale scale = Scale::automatic;
  double pixels = 2.0;  // PNG only: pixels per SVG unit, 0.1 to 16
};

struct HtmlOptions {
  std::string title = "Attention";  // of the page
  Scale scale = Scale::automatic;
};

// Every function below throws ShapeError when the parts of a figure do not fit
// together (axes without a name, or two of one name, included) or a chart has
// nothing to draw, and NumericError, naming the place, when a weight, score or
// probability is not finite, a value of a chart infinite, a weight over a picture
// negative or a colour of it not in [0, 255]. Weights outside [0, 1] are drawn as
// the nearest end of the scale.
void check_figure(const Figure& figure);

// Lines of text, each ending in '\n' and no wider than the given width.
std::string to_terminal(const Figure& figure, const TerminalOptions& options = {});

// An SVG 1.1 document that names no file and no font of its own.
std::string to_svg(const Figure& figure, const PictureOptions& options = {});

// The bytes of a PNG file: the same drawing as the SVG. Throws Error in a build
// without Pango and Cairo (see can_draw_png) or where no font is installed,
// ShapeError when the picture would be wider or higher than 32,000 pixels.
std::string to_png(const Figure& figure, const PictureOptions& options = {});
bool can_draw_png();

// One self-contained page: no network, no fonts, no files; dark and light.
std::string to_html(std::span<const Figure> figures, const HtmlOptions& options = {});
std::string to_html(const Figure& figure, const HtmlOptions& options = {});

// HeatMap, where "source" and "target" are the names of columns and rows:
//   {"generator": "lookback", "title", "source", "target", "weights": [[...], ...], "scores": [...] or null}
//   and, where there is text in its cells, "cells": [["12", ...], ...]
//   where rows are marked, "marked": [begin, end]
//   where columns are seconds, "source": {"seconds": 0.02, "count": 412} and, given an underlay, "underlay": [[...],
//   ...]
// Highlight, with one row of weights for each hop:
//   {"generator": "lookback", "title", "words", "weights": [[...], ...], "probabilities": [{"label", "probability"}]}
//   and, where it has parts, "parts": [{"words": 3, "weight": 0.2}, ...]; where words are marked, "marked": [begin,
//   end]
// Chart, with null for NaN:
//   {"generator": "lookback", "title", "x": {"name", "labels": [...]}, "panels": [{"name", "lines": [{"name", "first",
//   "dots", "values": [...], "bands": [{"name", "low": [...], "high": [...]}]}]}], "rules": [{"position", "name"}],
//   "strips": [{"name", "first", "weights": [...]}], "bars": [{"group", "name", "value"}]}
// PictureMaps, with a row of weights for each token and no pixels:
//   {"generator": "lookback", "title", "picture": {"height", "width"}, "grid": {"height", "width"}, "tokens": [...],
//   "weights": [[...], ...], "elsewhere": [...] or null, "scores": [...] or null}
// Numbers have the fewest digits that read back to the same float or double.
std::string to_json(const Figure& figure);

// The figure of words instead of pieces. A column is the sum of the columns of its
// pieces (attention paid to a word is paid to all of it), a row the mean of the
// rows of its pieces (so a row still sums to one), a score their sum; a word of a
// highlight has the sum of the weights of its pieces. Words are found by the
// subword marks of each axis; a word written about a picture has the mean of the
// maps of its pieces, and of their weights elsewhere; punctuation at the edge of a word and tokens like
// "</s>" stay on their own. An axis without marks stays as it is. Totals are
// those of the words. No word reaches over the end of a part. Columns of seconds stay as they are. A map with text in
// its cells stays as it is: two texts have no sum, and its tokens are names. So
// does a chart.
HeatMap merge_subwords(const HeatMap& map);
Highlight merge_subwords(const Highlight& highlight);
PictureMaps merge_subwords(const PictureMaps& maps);
Figure merge_subwords(const Figure& figure);

// The map with one more row, "Σ": the sum of each column over all rows, which is
// the coverage of its token (See et al. 2017), and the sum of the scores. It is
// drawn on a scale up to one, whatever the map's; numbers are the true ones.
// A map without rows or columns, or one that has its totals, stays as it is.
HeatMap with_totals(HeatMap map);

// The matrix of a classifier's right and wrong answers as a map: a row for each
// class as it is ("gold"), a column for each as it was predicted, shaded by the
// share of its row, with the counts written in the cells. On the diagonal the
// share is the recall of the class; a class that never was has shares of 0.
// `counts` [K, K] by row, K the number of names. Throws ShapeError when they do
// not fit, NumericError when a count is negative.
HeatMap confusion_map(std::span<const int64_t> counts, const std::vector<std::string>& names, std::string title);

// Whether a file that begins like this was drawn by one of these functions: the first 1,024 bytes tell.
bool is_drawing(std::string_view head);

}  // namespace lookback::viz
