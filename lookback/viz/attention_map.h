// A picture of where a model looked: one row per target token, one column per
// source token, drawn for terminals, documents, web pages and programs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lookback/tensor/tensor.h"

namespace lookback::viz {

// What a model attended to. Tokens are as the model saw them, marks of subwords
// included (SentencePiece's U+2581 before a word, BPE's "@@" after or WordPiece's
// "##" before a piece); they may hold any bytes, and every renderer escapes them
// and shows malformed UTF-8 as U+FFFD.
struct AttentionMap {
  std::vector<std::string> source;  // T tokens, the columns
  std::vector<std::string> target;  // U tokens, the rows
  Tensor weights;                   // f32 [U, T]; may be left empty when U or T is 0
  std::string title;
  std::vector<double> target_scores;  // log-probability of each target token, or nothing
};

enum class Theme { light, dark };

// What the far end of the colour scale stands for: a weight of one, or the
// largest weight of the map (for long sources, where no weight comes near one).
enum class Scale { unit, peak };

// How the terminal writes the source tokens: each on a line of its own with a
// guide down to its column, or top to bottom above the column. automatic takes
// staggered where it fits in a dozen lines, and where letters join.
enum class ColumnLabels { automatic, staggered, vertical };

struct TerminalOptions {
  int64_t width = 80;  // columns; a wider map is cut into panels. Less than 20 counts as 20
  bool color = true;   // 256 colours; without them, Unicode shades. The caller honours NO_COLOR
  Theme theme = Theme::dark;
  Scale scale = Scale::unit;
  ColumnLabels labels = ColumnLabels::automatic;
};

struct PictureOptions {
  Theme theme = Theme::light;
  Scale scale = Scale::unit;
  double pixels = 2.0;  // PNG only: pixels per SVG unit, 0.1 to 16
};

struct HtmlOptions {
  std::string title = "Attention";  // of the page
  Scale scale = Scale::unit;
};

// Every function below throws ShapeError when the parts of a map do not fit
// together, and NumericError, naming the cell, when a weight or score is not
// finite. Weights outside [0, 1] are drawn as the nearest end of the scale.
void check_map(const AttentionMap& map);

// Lines of text, each ending in '\n' and no wider than the given width.
std::string to_terminal(const AttentionMap& map, const TerminalOptions& options = {});

// An SVG 1.1 document that names no file and no font of its own.
std::string to_svg(const AttentionMap& map, const PictureOptions& options = {});

// The bytes of a PNG file: the same drawing as the SVG. Throws Error in a build
// without Pango and Cairo (see can_draw_png) or where no font is installed,
// ShapeError when the picture would be wider or higher than 32,000 pixels.
std::string to_png(const AttentionMap& map, const PictureOptions& options = {});
bool can_draw_png();

// One self-contained page: no network, no fonts, no files; dark and light.
std::string to_html(std::span<const AttentionMap> maps, const HtmlOptions& options = {});
std::string to_html(const AttentionMap& map, const HtmlOptions& options = {});

// {"generator": "lookback", "title", "source", "target", "weights": [[...], ...], "scores": [...] or null}
// Numbers have the fewest digits that read back to the same float or double.
std::string to_json(const AttentionMap& map);

// The map of words instead of pieces. A column is the sum of the columns of its
// pieces (attention paid to a word is paid to all of it), a row the mean of the
// rows of its pieces (so a row still sums to one), a score their sum. Words are
// found by the subword marks of each side; punctuation at the edge of a word and
// tokens like "</s>" stay on their own. A side without marks stays as it is.
AttentionMap merge_subwords(const AttentionMap& map);

// Whether a file that begins like this was drawn by one of these functions: the first 1,024 bytes tell.
bool is_drawing(std::string_view head);

}  // namespace lookback::viz
