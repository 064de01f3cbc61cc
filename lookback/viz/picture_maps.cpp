#include "lookback/viz/picture_maps.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "lookback/base/format_number.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

constexpr double kCellWidth = 180, kCellHeight = 200, kLeastSide = 24;
constexpr double kDensity = 1.6;                 // pixels for each unit of a cell, where the picture has them
constexpr double kGrey = 0.36, kGreyFloor = 10;  // of the picture where no weight lies
constexpr double kLineWidth = 1.5;               // units

int64_t cells_of(const PictureMaps& maps) { return maps.grid_height * maps.grid_width; }
const float* weights_of(const PictureMaps& maps, int64_t word) {
  return maps.weights.data<float>() + word * cells_of(maps);
}

uint8_t byte(double value) { return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0))); }

double luma(Rgb c) { return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b; }

// Pixels of a side: those of the picture if they are enough for the cell and not too many; few are made whole blocks.
int64_t side_pixels(int64_t own, double cell) {
  const auto least = static_cast<int64_t>(std::ceil(cell)), most = static_cast<int64_t>(std::ceil(cell * kDensity));
  return own < least ? own * ((least + own - 1) / own) : std::min(own, most);
}

// For each of n pixels up to four cells of the grid, from `first` on, and how much each counts: Catmull and Rom (1974),
// which goes through the weight of a cell at its middle and is smooth between. Beyond the edge weights go on in a line.
struct Blend {
  int64_t first;
  std::array<double, 4> shares;
};
std::vector<Blend> blends(int64_t n, int64_t cells) {
  std::vector<Blend> out;
  for (int64_t k = 0; k < n; ++k) {
    const double at = (static_cast<double>(k) + 0.5) * static_cast<double>(cells) / static_cast<double>(n) - 0.5;
    const double before = std::floor(at), t = at - before;
    const int64_t from = static_cast<int64_t>(before) - 1;
    const std::array<double, 4> shares{((-t + 2) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2,
                                       ((-3 * t + 4) * t + 1) * t / 2, (t - 1) * t * t / 2};
    Blend& b = out.emplace_back(Blend{std::clamp<int64_t>(from, 0, std::max<int64_t>(cells - 4, 0)), {}});
    const auto add = [&](int64_t cell, double share) { b.shares[static_cast<size_t>(cell - b.first)] += share; };
    for (int64_t j = 0; j < 4; ++j) {
      const int64_t inside = std::clamp<int64_t>(from + j, 0, cells - 1), beyond = std::abs(from + j - inside);
      const double share = shares[static_cast<size_t>(j)];
      if (cells == 1 || beyond == 0) {
        add(inside, share);
      } else {
        add(inside, share * static_cast<double>(1 + beyond));
        add(inside == 0 ? 1 : cells - 2, -share * static_cast<double>(beyond));
      }
    }
  }
  return out;
}

// Places on the scale, [rows, columns].
std::vector<double> smooth_places(const PictureMaps& maps, int64_t word, double top, int64_t rows, int64_t columns) {
  const std::vector<Blend> down = blends(rows, maps.grid_height), across = blends(columns, maps.grid_width);
  const float* w = weights_of(maps, word);
  std::vector<double> wide;  // [grid_height, columns]
  wide.reserve(static_cast<size_t>(maps.grid_height * columns));
  for (int64_t y = 0; y < maps.grid_height; ++y)
    for (const Blend& b : across) {
      double sum = 0;
      for (size_t j = 0; j < 4; ++j)
        if (b.shares[j] != 0) sum += b.shares[j] * (w[y * maps.grid_width + b.first + static_cast<int64_t>(j)] / top);
      wide.push_back(sum);
    }
  std::vector<double> out;
  out.reserve(static_cast<size_t>(rows * columns));
  for (const Blend& b : down)
    for (int64_t x = 0; x < columns; ++x) {
      double sum = 0;
      for (size_t j = 0; j < 4; ++j)
        if (b.shares[j] != 0)
          sum += b.shares[j] *
                 wide[(static_cast<size_t>(b.first) + j) * static_cast<size_t>(columns) + static_cast<size_t>(x)];
      out.push_back(std::clamp(sum, 0.0, 1.0));
    }
  return out;
}

}  // namespace

std::vector<double> tops_of(const PictureMaps& maps, Scale scale) {
  const size_t U = maps.tokens.size();
  if (scale != Scale::automatic) return std::vector<double>(U, scale_top(maps, scale));
  std::vector<double> out;
  for (size_t u = 0; u < U; ++u) {
    const double top = largest_weight(maps, static_cast<int64_t>(u));
    out.push_back(top > 0 ? top : 1);
  }
  return out;
}

std::string shared_end(const PictureMaps& maps, Scale scale) {
  return scale == Scale::automatic ? "" : scale_end(scale_top(maps, scale));
}

float largest_weight(const PictureMaps& maps, int64_t word) {
  const float* w = weights_of(maps, word);
  return *std::max_element(w, w + cells_of(maps));
}

std::string main_place(const PictureMaps& maps, int64_t word) {
  constexpr std::array kNames = {"top left", "top",         "top right", "left",        "middle",
                                 "right",    "bottom left", "bottom",    "bottom right"};
  const float* w = weights_of(maps, word);
  const int64_t best = std::max_element(w, w + cells_of(maps)) - w;
  if (w[best] == 0) return "nowhere";
  const auto third = [](int64_t k, int64_t n) { return (2 * k + 1) * 3 / (2 * n); };  // where its middle lies
  return kNames[static_cast<size_t>(third(best / maps.grid_width, maps.grid_height) * 3 +
                                    third(best % maps.grid_width, maps.grid_width))];
}

std::string weight_text(double weight) { return weight == 0 ? "0" : scale_end(weight); }

std::string share_text(double share) { return share >= 1e6 ? scale_end(share) : fixed(share, 2); }

std::string said_of(const PictureMaps& maps, int64_t word) {
  const auto u = static_cast<size_t>(word);
  const std::string place = main_place(maps, word);
  return str_cat(visible(maps.tokens[u]).whole(), ": ",
                 place == "nowhere" ? "nowhere on the picture"
                                    : str_cat("mostly ", place, " (up to ", fixed(largest_weight(maps, word), 4), ")"),
                 maps.elsewhere.empty() ? "" : str_cat(", ", fixed(maps.elsewhere[u], 4), " off the picture"));
}

Pixels mean_pixels(const Tensor& picture, int64_t rows, int64_t columns) {
  const int64_t H = picture.dim(0), W = picture.dim(1);
  const float* v = picture.data<float>();
  Pixels out{.rows = rows, .columns = columns, .rgb = {}};
  out.rgb.reserve(static_cast<size_t>(rows * columns * 3));
  for (int64_t y = 0; y < rows; ++y) {
    const int64_t top = y * H / rows, bottom = std::max(top + 1, (y + 1) * H / rows);
    for (int64_t x = 0; x < columns; ++x) {
      const int64_t left = x * W / columns, right = std::max(left + 1, (x + 1) * W / columns);
      for (int64_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (int64_t i = top; i < bottom; ++i)
          for (int64_t j = left; j < right; ++j) sum += static_cast<double>(v[(i * W + j) * 3 + c]);
        out.rgb.push_back(byte(sum / static_cast<double>((bottom - top) * (right - left))));
      }
    }
  }
  return out;
}

Rgb lit_color(Rgb color, double place) {
  const uint8_t grey = byte(kGreyFloor + kGrey * luma(color));
  return blend({grey, grey, grey}, color, place);
}

Rgb line_color() { return palette(Theme::dark).full; }

CellSize cell_size(const Tensor& picture) {
  const auto H = static_cast<double>(picture.dim(0)), W = static_cast<double>(picture.dim(1));
  const double scale = std::min(kCellWidth / W, kCellHeight / H);
  return {std::max(std::round(W * scale), kLeastSide), std::max(std::round(H * scale), kLeastSide)};
}

LitPicture::LitPicture(const PictureMaps& maps, Scale scale, double width, double height)
    : maps_(maps), tops_(tops_of(maps, scale)) {
  whole_ = mean_pixels(maps.picture, side_pixels(maps.picture.dim(0), height), side_pixels(maps.picture.dim(1), width));
  line_ = kLineWidth / 2 * std::max(1.0, static_cast<double>(whole_.columns) / width);
}

Pixels LitPicture::lit(int64_t word) const {
  const int64_t rows = whole_.rows, columns = whole_.columns;
  const std::vector<double> places = smooth_places(maps_, word, tops_[static_cast<size_t>(word)], rows, columns);
  const auto at = [&](int64_t y, int64_t x) {
    return places[static_cast<size_t>(std::clamp<int64_t>(y, 0, rows - 1) * columns +
                                      std::clamp<int64_t>(x, 0, columns - 1))];
  };
  constexpr double kFlat = 1e-3;  // places that change by less from pixel to pixel have no line between them
  Pixels out{.rows = rows, .columns = columns, .rgb = {}};
  out.rgb.reserve(whole_.rgb.size());
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns; ++x) {
      const uint8_t* own = whole_.rgb.data() + (y * columns + x) * 3;
      Rgb color = lit_color({own[0], own[1], own[2]}, at(y, x));
      const double dx = (at(y, x + 1) - at(y, x - 1)) / 2, dy = (at(y + 1, x) - at(y - 1, x)) / 2;
      const double slope = std::sqrt(dx * dx + dy * dy);
      if (slope > kFlat) {
        const double away = std::abs(at(y, x) - kLineAt) / slope;  // pixels from the line, about
        color = blend(color, line_color(), std::clamp(line_ + 0.5 - away, 0.0, 1.0));
      }
      out.rgb.insert(out.rgb.end(), {color.r, color.g, color.b});
    }
  return out;
}

}  // namespace lookback::viz
