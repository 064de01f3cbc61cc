#include <gtest/gtest.h>
#include <png.h>

#include "lookback/viz/color.h"
#include "lookback/viz/picture.h"
#include "lookback/viz/test_figures.h"

namespace lookback::viz {
namespace {

struct Pixels {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;

  Rgb at(double x, double y) const {
    const auto k = static_cast<size_t>((static_cast<int64_t>(y) * width + static_cast<int64_t>(x)) * 3);
    return {rgb.at(k), rgb.at(k + 1), rgb.at(k + 2)};
  }
};

Pixels decode(const std::string& bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size())) << image.message;
  image.format = PNG_FORMAT_RGB;
  Pixels out{image.width, image.height, std::vector<uint8_t>(PNG_IMAGE_SIZE(image))};
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, out.rgb.data(), 0, nullptr)) << image.message;
  return out;
}

class Png : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_draw_png()) GTEST_SKIP() << "built without Pango and Cairo";
  }
};

TEST(PngMissing, SaysWhatIsMissing) {
  if (can_draw_png()) GTEST_SKIP() << "built with Pango and Cairo";
  try {
    to_png(german_english());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("libpango1.0-dev"), std::string::npos);
  }
}

TEST_F(Png, CellsHaveTheColorOfTheirWeight) {
  const HeatMap map = german_english();
  for (const Theme theme : {Theme::light, Theme::dark}) {
    const Picture p = draw(map, {.theme = theme});
    const Pixels image = decode(to_png(map, {.theme = theme, .pixels = 2}));
    EXPECT_EQ(image.width, static_cast<int64_t>(p.width) * 2);
    EXPECT_EQ(image.height, static_cast<int64_t>(p.height) * 2);
    int64_t cell = 0;
    std::vector<std::pair<float, double>> seen;
    for (const Box& b : p.boxes) {
      if (b.tip.empty()) continue;
      const float w = map.weights.data<float>()[cell++];
      const Rgb pixel = image.at(2 * b.x + 5, 2 * b.y + 5);  // a corner, where no digit is
      EXPECT_EQ(pixel, shade(palette(theme), w));
      seen.emplace_back(w, luminance(pixel));
    }
    ASSERT_EQ(cell, map.weights.size());
    std::sort(seen.begin(), seen.end());
    for (size_t k = 1; k < seen.size(); ++k)
      EXPECT_GE((theme == Theme::dark ? 1 : -1) * (seen[k].second - seen[k - 1].second), 0);
    EXPECT_NE(seen.front().second, seen.back().second);
  }
}

TEST_F(Png, TextIsDrawn) {
  const HeatMap map = german_english();
  const Picture p = draw(map, {});
  const Pixels image = decode(to_png(map, {.pixels = 1}));
  int64_t drawn = 0, expected = 0;
  for (const Label& l : p.labels) {
    if (l.angle != 0 || l.spans.front().text.size() < 2) continue;
    ++expected;
    const double width = text_ems(l.spans.front().text) * l.size * 0.6;
    const double left = l.align == Align::start ? l.x : l.align == Align::end ? l.x - width : l.x - width / 2;
    const Rgb paper = image.at(left - 2, l.y - l.size * 0.9);
    int64_t ink = 0;
    for (double y = l.y - l.size * 0.7; y < l.y; ++y)
      for (double x = left; x < left + width; ++x) ink += !(image.at(x, y) == paper);
    drawn += ink > 5;
  }
  EXPECT_GT(expected, 40);
  EXPECT_EQ(drawn, expected);
}

TEST_F(Png, HostileAndEmptyMaps) {
  HeatMap map = hostile();
  EXPECT_GT(decode(to_png(map)).width, 100);
  std::swap(map.columns.tokens, map.rows.tokens);
  EXPECT_GT(decode(to_png(map, {.theme = Theme::dark})).width, 100);
  EXPECT_GT(decode(to_png(HeatMap{})).width, 100);
}

TEST_F(Png, TheSameBytesTwice) { EXPECT_EQ(to_png(german_english()), to_png(german_english())); }

TEST_F(Png, RefusesWhatCannotBeDrawn) {
  EXPECT_THROW(to_png(german_english(), {.pixels = 0}), ConfigError);
  EXPECT_THROW(to_png(german_english(), {.pixels = 17}), ConfigError);
  HeatMap wide;
  wide.columns.tokens.assign(20000, "");
  wide.rows.tokens = {"a"};
  wide.weights = Tensor::zeros({1, 20000});
  EXPECT_THROW(to_png(wide), ShapeError);
}

TEST_F(Png, WordsHaveTheColorOfTheirWeight) {
  const Highlight h = review();
  const Picture p = draw(h, {});
  const Pixels image = decode(to_png(h));
  int64_t word = 0;
  for (const Box& b : p.boxes) {
    if (b.tip.empty() || word == h.weights.size()) continue;
    const float w = h.weights.data<float>()[word++];
    EXPECT_EQ(image.at(2 * b.x + 2, 2 * b.y + 2), shade(palette(Theme::light), place(w, 0.16f))) << b.tip;
  }
  EXPECT_EQ(word, h.weights.size());
}

TEST_F(Png, PartsHaveTheColorOfTheirWeight) {
  const Highlight h = sentences();
  for (const Theme theme : {Theme::light, Theme::dark}) {
    const Picture p = draw(h, {.theme = theme});
    const Pixels image = decode(to_png(h, {.theme = theme}));
    int64_t part = 0;
    for (const Box& b : p.boxes) {
      if (!b.tip.starts_with("part ")) continue;
      const double at = place(h.part_weights.data<float>()[part++], 0.64f);
      EXPECT_EQ(image.at(2 * b.x + 2, 2 * b.y + 2), shade(palette(theme), at)) << b.tip;
    }
    EXPECT_EQ(part, 3);
  }
}

TEST_F(Png, EveryKindOfFigure) {
  for (const Figure& figure :
       std::vector<Figure>{with_totals(german_english()), with_totals(long_map(130)), two_hops(), right_to_left_text(),
                           hostile_highlight(), Highlight{}, sentences(), hostile_parts(), long_document(2000),
                           answers(), hostile_table(), with_totals(answers()), long_table(100)})
    EXPECT_GT(decode(to_png(figure, {.theme = Theme::dark, .pixels = 1})).width, 100);
}

TEST_F(Png, ChartsHaveTheColorsOfTheirSeries) {
  const Chart chart = fan_chart();
  for (const Theme theme : {Theme::light, Theme::dark}) {
    const Palette& colors = palette(theme);
    const Picture p = draw(chart, {.theme = theme});
    const Pixels image = decode(to_png(chart, {.theme = theme, .pixels = 4}));
    const Rgb blue = series_color(colors, 1), outer = blend(colors.background, blue, kBandOpacity),
              inner = blend(outer, blue, kBandOpacity);
    const auto near = [](Rgb a, Rgb b) {
      return std::abs(a.r - b.r) <= 2 && std::abs(a.g - b.g) <= 2 && std::abs(a.b - b.b) <= 2;
    };
    int64_t dots = 0, lines = 0;
    std::vector<const Path*> bands;
    for (const Path& path : p.paths) {
      if (path.width == 0 && path.runs[0].size() > 4) bands.push_back(&path);
      for (const auto& run : path.runs) {
        if (path.width > 0 && run.size() == 1) {
          ++dots;
          EXPECT_EQ(image.at(4 * run[0].x, 4 * run[0].y), path.color);
        }
        if (path.width > 0 && run.size() > 2 && path.color == blue) {  // the middle of the last stretch, clear of dots
          const Point a = run[run.size() - 2], b = run.back();
          ++lines;
          EXPECT_TRUE(near(image.at(2 * (a.x + b.x), 2 * (a.y + b.y)), blue));
        }
      }
    }
    EXPECT_EQ(dots, 13);  // with that of the legend
    EXPECT_EQ(lines, 1);
    ASSERT_EQ(bands.size(), 2U);  // the wider one first
    const Point wide = bands[0]->runs[0][16], narrow = bands[1]->runs[0][16];
    EXPECT_TRUE(near(image.at(4 * wide.x, 4 * (wide.y * 0.3 + narrow.y * 0.7)), outer));
    EXPECT_TRUE(near(image.at(4 * narrow.x, 4 * (narrow.y + 4)), inner));
  }
}

TEST_F(Png, EveryKindOfChart) {
  for (const Chart& chart : all_charts())
    EXPECT_GT(decode(to_png(chart, {.theme = Theme::dark, .pixels = 1})).width, 100);
  const Picture p = draw(long_series(100'000), {});
  EXPECT_LT(std::max(p.width, p.height), 900);
  EXPECT_EQ(to_png(back_test()), to_png(back_test()));
}

TEST_F(Png, TenThousandWordsFit) {
  const Picture p = draw(long_text(10000), {});
  EXPECT_LT(std::max(p.width, p.height), 8000);
  EXPECT_LT(p.width / p.height, 2);
  EXPECT_GT(decode(to_png(long_text(10000), {.pixels = 0.25})).width, 100);
}

}  // namespace
}  // namespace lookback::viz
