// Private to viz: maps over a picture.
#pragma once

#include <string>
#include <vector>

#include "lookback/viz/picture.h"

namespace lookback::viz {

// What stands for 1 on the scale of each word.
std::vector<double> tops_of(const PictureMaps& maps, Scale scale);
// As written at the end of a scale that all words share; "" where each has its own.
std::string shared_end(const PictureMaps& maps, Scale scale);

float largest_weight(const PictureMaps& maps, int64_t word);
// "top left", "middle", ...: the ninth of the picture where the largest weight of a word lies; "nowhere" if it has
// none.
std::string main_place(const PictureMaps& maps, int64_t word);
// "house: mostly bottom right (up to 0.3124), 0.4300 off the picture"
std::string said_of(const PictureMaps& maps, int64_t word);
std::string weight_text(double weight);  // two decimals, and more where they are needed
std::string share_text(double share);    // two decimals

// The mean colours [rows, columns] of the picture.
Pixels mean_pixels(const Tensor& picture, int64_t rows, int64_t columns);

// The picture as it is drawn for each word, in about as many pixels as a cell of the film can show.
class LitPicture {
 public:
  // `width`, `height`: of the cell, in units of the drawing.
  LitPicture(const PictureMaps& maps, Scale scale, double width, double height);

  const Pixels& whole() const { return whole_; }
  Pixels lit(int64_t word) const;

 private:
  const PictureMaps& maps_;
  const std::vector<double> tops_;
  double line_;  // half the width of a line, in pixels
  Pixels whole_;
};

// The colour of a pixel where the weight has this place on the scale.
Rgb lit_color(Rgb color, double place);
Rgb line_color();  // at half of the scale, whatever the theme: what lies under it is dark
constexpr double kLineAt = 0.5;

// Of a picture in the film: as large as fits, of its own proportions unless those are extreme.
struct CellSize {
  double width, height;
};
CellSize cell_size(const Tensor& picture);

}  // namespace lookback::viz
